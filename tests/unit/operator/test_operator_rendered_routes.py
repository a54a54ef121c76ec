"""What leads requests to a pool, through whichever gateway."""

from dataclasses import replace
from typing import Any

import pytest
from pool_documents import model_document, pool_document
from rendered_pools import ENVOY, FACTS, GATEWAY, in_cluster, of_kind, only, rendered

from chimera_operator.api.errors import PoolError
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import Facts, ParentKey
from chimera_operator.rendering.gateway.integration import ENVOY_GATEWAY, ISTIO, missing
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import ENGINE, PICKER, ROUTE, Manifest

HUB = {"huggingFace": {"repo": "org/small"}}
ROUTES = (
    *(kinds.HTTP_ROUTE, kinds.ENVOY_EXTENSION_POLICY, kinds.BACKEND_TRAFFIC_POLICY),
    *(kinds.BACKEND_TLS_POLICY, kinds.DESTINATION_RULE),
)
AGENTGATEWAY = "agentgateway.dev/agentgateway"
CERTIFICATE = {"mode": "Certificate", "secretRef": {"name": "tls"}}


def pool(*models: dict[str, Any], gateway: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    told = {} if gateway is None else {"gateway": gateway}
    return pool_document(*(models or [model_document("small", source=HUB)]), **told, **spec)


def under(**controllers: str) -> Facts:
    """Return a cluster with these Gateways, by the controllers of their classes."""
    named = {ParentKey("models", name): controller for name, controller in controllers.items()}
    return replace(FACTS, controllers=named)


def routes(document: dict[str, Any], facts: Facts = FACTS) -> dict[str, list[Manifest]]:
    """Return the objects of routes by kind."""
    manifests = rendered(document, facts)
    return {kind.name: found for kind in ROUTES if (found := of_kind(manifests, kind))}


def test_inference_pool_has_all_engines_of_all_models_and_the_picker() -> None:
    """One umbrella: its selector finds every engine's pod, and none of the picker's."""
    manifests = rendered(pool(model_document("a", source=HUB), model_document("b", source=HUB)))
    spec = only(manifests, kinds.INFERENCE_POOL)["spec"]
    service = only(manifests, kinds.SERVICE, component=PICKER)
    selected = spec["selector"]["matchLabels"].items()

    for deployment in of_kind(manifests, kinds.DEPLOYMENT):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert (selected <= labels.items()) == ("chimera.dev/model" in labels)
    assert spec["endpointPickerRef"] == {
        "kind": "Service",
        "name": service["metadata"]["name"],
        "port": {"number": service["spec"]["ports"][0]["port"]},
        "failureMode": "FailClose",
    }


def test_ports_are_those_of_the_model_with_the_most_copies() -> None:
    """Every copy of the weights is an endpoint of its own."""
    copies = model_document("large", source=HUB, parallelism={"data": 3})
    spec = only(rendered(pool(model_document("small", source=HUB), copies)), kinds.INFERENCE_POOL)["spec"]

    assert spec["targetPorts"] == [{"number": 8000}, {"number": 8001}, {"number": 8002}]


@pytest.mark.parametrize("gateway", [None, {"integration": "None"}, {"integration": "None", **GATEWAY}])
def test_without_a_gateway_there_is_no_route(gateway: dict[str, Any] | None) -> None:
    """InferencePool and picker are there all the same, for whoever names them to a gateway."""
    document = pool(gateway=gateway)

    assert routes(document) == {}
    assert only(rendered(document), kinds.INFERENCE_POOL)
    assert only(rendered(document), kinds.SERVICE, component=PICKER)


@pytest.mark.parametrize("controller", [ISTIO, AGENTGATEWAY, "example.com/unheard-of", None])
def test_standard_is_expected_of_a_gateway_unless_it_is_known_to_lack_it(controller: str | None) -> None:
    """One route, to the InferencePool; also where the Gateway is not there yet."""
    facts = under(inference=controller) if controller else under()
    (route,) = routes(pool(gateway=GATEWAY), facts)["HTTPRoute"]

    assert route["metadata"]["name"] == "pool"
    assert route["spec"]["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference"}
    ]
    assert route["spec"]["hostnames"] == ["llm.example.com"]
    (rule,) = route["spec"]["rules"]
    assert rule["backendRefs"] == [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}]
    assert rule["timeouts"] == {"request": "0s"}


def test_envoy_gateway_gets_a_service_and_two_policies() -> None:
    """The route leads to all engines, ext_proc is on it, and the picker's header says which of them."""
    found, manifests = routes(pool(gateway=GATEWAY), ENVOY), rendered(pool(gateway=GATEWAY), ENVOY)
    (route,), (extension,), (traffic,) = found.values()
    service = only(manifests, kinds.SERVICE, component=ENGINE)
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route["metadata"]["name"]}

    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["kind"], backend["name"], backend["port"]) == ("Service", service["metadata"]["name"], 8000)
    assert extension["spec"]["targetRefs"] == traffic["spec"]["targetRefs"] == [target]
    (processor,) = extension["spec"]["extProc"]
    assert processor["backendRefs"] == [{"group": "", "kind": "Service", "name": "pool-picker", "port": 9002}]
    assert processor["failOpen"] is False
    assert processor["metadata"]["writableNamespaces"] == ["envoy.lb"]
    override = traffic["spec"]["loadBalancer"]["endpointOverride"]
    assert override == {"extractFrom": [{"header": "x-gateway-destination-endpoint"}]}


def test_envoy_knows_engines_and_somebody_where_there_are_none() -> None:
    """A route to nobody would ask no picker, and nobody would wake a model that sleeps."""
    manifests = rendered(pool(gateway=GATEWAY), ENVOY)
    service = only(manifests, kinds.SERVICE, component=ENGINE)["spec"]

    assert service["clusterIP"] == "None"
    for deployment in of_kind(manifests, kinds.DEPLOYMENT):
        assert service["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_envoy_knows_every_copy_of_the_weights() -> None:
    """What the picker names must be among the addresses that the route leads to."""
    document = pool(model_document("large", source=HUB, parallelism={"data": 2}), gateway=GATEWAY)
    (route,) = routes(document, ENVOY)["HTTPRoute"]
    service = only(rendered(document, ENVOY), kinds.SERVICE, component=ENGINE)

    assert [each["port"] for each in route["spec"]["rules"][0]["backendRefs"]] == [8000, 8001]
    assert [each["targetPort"] for each in service["spec"]["ports"]] == [8000, 8001]


@pytest.mark.parametrize(
    ("accounting", "response"),
    [
        ("Observe", {"response": {"body": "FullDuplexStreamed"}}),
        ("Auto", {"response": {"body": "FullDuplexStreamed"}}),
        ("Headers", {"response": {}}),
        ("Skip", {}),
    ],
)
def test_envoy_shows_the_picker_as_much_of_answers_as_it_counts(accounting: str, response: dict[str, Any]) -> None:
    """What it does not look at passes the gateway untouched."""
    document = pool(gateway=GATEWAY, routing={"accounting": accounting})
    (extension,) = routes(document, ENVOY)["EnvoyExtensionPolicy"]

    mode = extension["spec"]["extProc"][0]["processingMode"]
    assert mode == {"request": {"body": "FullDuplexStreamed"}, **response}


def test_requests_may_wait_in_the_picker_behind_envoy() -> None:
    """For a place, or for a model that has to start: longer than either is allowed to take."""
    (extension,) = routes(pool(gateway=GATEWAY), ENVOY)["EnvoyExtensionPolicy"]

    assert int(extension["spec"]["extProc"][0]["messageTimeout"].removesuffix("s")) > 900


def test_gateways_of_both_kinds_may_carry_a_pool() -> None:
    """Each gets the route that it understands; the picker is spoken to in the one way that both do."""
    parents = [{"name": "mesh"}, {"name": "edge", "namespace": "infra", "sectionName": "https"}]
    controllers = {ParentKey("models", "mesh"): ISTIO, ParentKey("infra", "edge"): ENVOY_GATEWAY}
    found = routes(pool(gateway={"parentRefs": parents}), replace(FACTS, controllers=controllers))

    named = {each["metadata"]["name"]: each["spec"]["parentRefs"] for each in found["HTTPRoute"]}
    assert [parent["name"] for parent in named["pool"]] == ["mesh"]
    (edge,) = named["pool-envoy"]
    assert (edge["name"], edge["namespace"], edge["sectionName"]) == ("edge", "infra", "https")
    assert "DestinationRule" not in found


@pytest.mark.parametrize(("integration", "name"), [("InferencePool", "pool"), ("EnvoyGateway", "pool-envoy")])
@pytest.mark.parametrize("controller", [ISTIO, ENVOY_GATEWAY])
def test_integration_that_the_pool_names_is_taken(integration: str, name: str, controller: str) -> None:
    """Whatever is found."""
    document = pool(gateway={**GATEWAY, "integration": integration})
    (route,) = routes(document, under(inference=controller))["HTTPRoute"]

    assert route["metadata"]["name"] == name


def test_prefix_is_taken_off() -> None:
    """Engines serve /v1; where there is no prefix nothing is rewritten."""

    def rule(prefix: str) -> Manifest:
        (route,) = routes(pool(gateway={**GATEWAY, "pathPrefix": prefix}))["HTTPRoute"]
        found: Manifest = route["spec"]["rules"][0]
        return found

    assert rule("/llm")["matches"] == [{"path": {"type": "PathPrefix", "value": "/llm"}}]
    assert rule("/llm")["filters"] == [
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    ]
    assert "filters" not in rule("/")


def test_certificate_is_verified_by_the_gateway() -> None:
    """By the authority in its Secret, and the name of the picker's Service."""
    (policy,) = routes(pool(gateway=GATEWAY, picker={"tls": CERTIFICATE}))["BackendTLSPolicy"]

    (target,) = policy["spec"]["targetRefs"]
    assert (target["kind"], target["name"], target["sectionName"]) == ("Service", "pool-picker", "ext-proc")
    assert policy["spec"]["validation"] == {
        "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "tls"}],
        "hostname": "pool-picker.models.svc",
    }


@pytest.mark.parametrize(
    ("controller", "tls", "rules"),
    [
        (ISTIO, {}, 1),
        (AGENTGATEWAY, {}, 0),
        (ISTIO, {"mode": "Plaintext"}, 0),
        (ISTIO, CERTIFICATE, 0),
    ],
)
def test_istio_is_told_to_speak_tls_with_a_picker_that_nobody_signed(
    controller: str, tls: dict[str, Any], rules: int
) -> None:
    """On the port of ext_proc and no other; without it Istio would speak plain text."""
    found = routes(pool(gateway=GATEWAY, picker={"tls": tls}), under(inference=controller)).get("DestinationRule", [])

    assert len(found) == rules
    for rule in found:
        (port,) = rule["spec"]["trafficPolicy"]["portLevelSettings"]
        assert port == {"port": {"number": 9002}, "tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}
        assert rule["spec"]["host"] == "pool-picker"


def test_open_failure_is_refused_where_it_cannot_be() -> None:
    """Envoy Gateway takes no such policy; what would be open is said."""
    document = pool(gateway=GATEWAY, picker={"failureMode": "FailOpen"})

    assert only(rendered(document), kinds.INFERENCE_POOL)["spec"]["endpointPickerRef"]["failureMode"] == "FailOpen"
    with pytest.raises(PoolError) as error:
        rendered(document, ENVOY)
    assert str(error.value) == (
        "spec.picker.failureMode: must be FailClose with Envoy Gateway, which streams whole requests"
    )


def test_route_comes_last() -> None:
    """When requests come, everything that answers them is there; before its policies they would pass the picker by."""
    for facts in (FACTS, ENVOY):
        manifests = rendered(pool(gateway=GATEWAY), facts)
        assert manifests[-1]["kind"] == "HTTPRoute"
        order = [manifest["kind"] for manifest in manifests]
        assert order.index("ConfigMap") < order.index("Deployment") < order.index("PooledModel")


def without(*absent: Kind) -> Facts:
    return replace(ENVOY, apis=FACTS.apis - set(map(str, absent)))


@pytest.mark.parametrize("absent", sorted(kinds.OPTIONAL))
def test_object_of_a_kind_that_the_cluster_lacks_is_left_out(absent: Kind) -> None:
    """Everything else is there all the same."""
    document = pool(gateway=GATEWAY, picker={"tls": CERTIFICATE})
    facts = without(absent)

    everything = [
        manifest for manifest in rendered(document, ENVOY) if (manifest["apiVersion"], manifest["kind"]) != absent
    ]
    assert list(rendered(document, facts)) == everything


@pytest.mark.parametrize(
    ("gateway", "facts", "lacking"),
    [
        (None, without(*kinds.OPTIONAL), (kinds.INFERENCE_POOL,)),
        (None, without(kinds.POD_MONITOR, kinds.HTTP_ROUTE), ()),
        (GATEWAY, under(inference=ISTIO), ()),
        (
            GATEWAY,
            without(kinds.HTTP_ROUTE, kinds.ENVOY_EXTENSION_POLICY),
            (kinds.HTTP_ROUTE, kinds.ENVOY_EXTENSION_POLICY),
        ),
        (
            GATEWAY,
            replace(without(kinds.BACKEND_TRAFFIC_POLICY), controllers={ParentKey("models", "inference"): ISTIO}),
            (),
        ),
    ],
)
def test_what_the_pool_needs_and_the_cluster_lacks_is_known(
    gateway: dict[str, Any] | None, facts: Facts, lacking: tuple[Kind, ...]
) -> None:
    """Status can name it; what is only useful is not missed."""
    assert missing(in_cluster(pool(gateway=gateway)), facts) == lacking


def test_routes_belong_to_the_pool() -> None:
    """Their component tells them from engines and picker."""
    assert {
        each["metadata"]["labels"]["app.kubernetes.io/component"]
        for found in routes(pool(gateway=GATEWAY), ENVOY).values()
        for each in found
    } == {ROUTE}
