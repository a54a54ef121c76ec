"""Who reaches the pods of a pool, and who watches them."""

from typing import Any

import pytest
from pool_documents import model_document, pool_document
from rendered_pools import FACTS, of_kind, only, rendered

from chimera_operator.rendering import kinds
from chimera_operator.rendering.manifest import ENGINE, PICKER, Manifest

HUB = {"huggingFace": {"repo": "org/small"}}
GATEWAYS = [
    {
        "namespaceSelector": {},
        "podSelector": {"matchExpressions": [{"key": f"gateway.{rest}", "operator": "Exists"}]},
    }
    for rest in ("networking.k8s.io/gateway-name", "envoyproxy.io/owning-gateway-name")
]
PROMETHEUS = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}
PICKERS = {"podSelector": {"matchLabels": {"chimera.dev/pool": "pool", "app.kubernetes.io/component": "picker"}}}
OPERATOR = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": FACTS.operator_namespace}},
    "podSelector": {"matchLabels": FACTS.operator_labels},
}


def pool(**spec: Any) -> dict[str, Any]:
    return pool_document(model_document("small", source=HUB, **spec.pop("model", {})), **spec)


def reach(component: str, **spec: Any) -> dict[int, list[Manifest]]:
    """Return who reaches a component's pods, by port."""
    policy = only(rendered(pool(**spec)), kinds.NETWORK_POLICY, component=component)["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    return {port["port"]: rule["from"] for rule in policy["ingress"] for port in rule["ports"]}


def test_engines_hear_gateways_pickers_and_prometheus() -> None:
    """And nobody else: vLLM asks nobody who they are."""
    assert reach(ENGINE) == {8000: [*GATEWAYS, PICKERS, PROMETHEUS]}


def test_every_copy_of_the_weights_is_heard_on_its_port() -> None:
    """The policy has as many ports as the InferencePool."""
    assert reach(ENGINE, model={"parallelism": {"data": 2}}).keys() == {8000, 8001}


def test_picker_hears_gateways_on_one_port_and_those_who_look_at_it_on_another() -> None:
    """The operator asks it for the load of models; applications only where the pool names them."""
    assert reach(PICKER) == {9002: GATEWAYS, 9090: [PROMETHEUS, OPERATOR]}


def test_peers_that_the_pool_names_take_the_place_of_the_defaults() -> None:
    """A peer without selectors is the pool's own namespace, one with empty ones is everybody."""
    peers = {
        "gateways": [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"c": "d"}}}],
        "monitoring": [{}],
        "applications": [{"namespaceSelector": {}}],
    }
    named = {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"c": "d"}}}
    here, everywhere = {"podSelector": {}}, {"namespaceSelector": {"matchLabels": {}}}

    assert reach(ENGINE, networkPolicy=peers) == {8000: [named, PICKERS, here]}
    assert reach(PICKER, networkPolicy=peers) == {
        9002: [named],
        9090: [here, everywhere, OPERATOR],
        9091: [everywhere],
    }


def test_policies_are_left_to_others_where_the_pool_says_so() -> None:
    """Clusters may have their own."""
    assert of_kind(rendered(pool(networkPolicy={"mode": "Disabled"})), kinds.NETWORK_POLICY) == []


def test_prometheus_finds_every_engine_and_knows_its_model() -> None:
    """Each copy of the weights has a page of its own."""
    labels = {"release": "prometheus", "app.kubernetes.io/managed-by": "mine"}
    monitoring = {"intervalSeconds": 30, "labels": labels}
    manifests = rendered(pool(monitoring=monitoring, model={"parallelism": {"data": 2}}))
    monitor = only(manifests, kinds.POD_MONITOR)
    (engine,) = [each for each in of_kind(manifests, kinds.DEPLOYMENT) if "small" in each["metadata"]["name"]]
    ports = [port["name"] for each in engine["spec"]["template"]["spec"]["containers"] for port in each["ports"]]

    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "chimera-operator"
    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == ports
    assert {each["interval"] for each in monitor["spec"]["podMetricsEndpoints"]} == {"30s"}
    assert "chimera.dev/model" in monitor["spec"]["podTargetLabels"]


@pytest.mark.parametrize(
    ("management", "scrape"),
    [
        ({}, {"scheme": "http", "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}),
        ({"openMetrics": True}, {"scheme": "http"}),
        ({"auth": "None"}, {"scheme": "http"}),
        (
            {"auth": "Token", "tokenSecretRef": {"name": "a", "key": "b"}, "tls": True},
            {
                "scheme": "https",
                "tlsConfig": {"insecureSkipVerify": True},
                "authorization": {"type": "Bearer", "credentials": {"name": "a", "key": "b"}},
            },
        ),
    ],
)
def test_prometheus_shows_the_picker_what_it_asks_for(management: dict[str, Any], scrape: dict[str, Any]) -> None:
    """Its own token where the cluster's roles decide, the pool's where tokens do, nothing where nobody is asked."""
    manifests = rendered(pool(picker={"management": management}))
    monitor = only(manifests, kinds.SERVICE_MONITOR)
    service = only(manifests, kinds.SERVICE, component=PICKER)

    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "management", "path": "/metrics", "interval": "15s", **scrape}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_nothing_is_scraped_where_the_pool_says_so() -> None:
    """Prometheus may be configured elsewhere."""
    manifests = rendered(pool(monitoring={"podMonitor": "Disabled"}))

    assert of_kind(manifests, kinds.POD_MONITOR) == of_kind(manifests, kinds.SERVICE_MONITOR) == []
