"""Whether requests find their way to the pool, and by which URL."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from operated import document, engine
from toy_cluster import FACTS

from chimera_operator.api.conditions import Finding
from chimera_operator.api.parse import parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.status.address import url
from chimera_operator.planning.status.exposure import programmed
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import Facts, ParentKey
from chimera_operator.rendering.manifest import Manifest, key_of


def pool(**gateway: Any) -> HeterogeneousModelPool:
    """Return a pool behind the Gateway `front`, or behind none."""
    spec = {"gateway": {"parentRefs": [{"name": "front"}], **gateway}} if gateway.pop("there", True) else {}
    return parse_resource(document(engine("small"), **spec))


def observed(*objects: Manifest, facts: Facts = FACTS, parents: Iterable[Manifest] = ()) -> Observed:
    return Observed(objects={key_of(each): each for each in objects}, parents=tuple(parents), facts=facts)


def said(kind: str, status: str, reason: str = "", message: str = "", generation: int = 1) -> Manifest:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}


def route(*conditions: Manifest, generation: int = 1, parent: str = "front") -> Manifest:
    parents = [{"parentRef": {"name": parent}, "controllerName": "x", "conditions": list(conditions)}]
    return {
        "apiVersion": kinds.HTTP_ROUTE.api_version,
        "kind": "HTTPRoute",
        "metadata": {"name": "pool", "namespace": "default", "generation": generation},
        "spec": {"parentRefs": [{"name": "front"}]},
        "status": {"parents": parents if conditions else []},
    }


def front(*conditions: Manifest, **fields: Any) -> Manifest:
    """Return the Gateway, with an address and one listener unless told otherwise."""
    listeners = fields.get("listeners", [{"name": "http", "protocol": "HTTP", "port": 80}])
    addresses = [{"value": each} for each in fields.get("addresses", ["10.1.2.3"])]
    return {
        "apiVersion": kinds.GATEWAY.api_version,
        "kind": "Gateway",
        "metadata": {"name": "front", "namespace": "default"},
        "spec": {"listeners": listeners},
        "status": {"addresses": addresses, "conditions": list(conditions)},
    }


TAKEN = said("Accepted", "True"), said("ResolvedRefs", "True")


def check(pool: HeterogeneousModelPool, found: Observed, deciding: int = 2) -> Finding:
    return programmed(pool, found, deciding=deciding)


def test_a_route_that_its_gateway_takes_is_programmed() -> None:
    """With a picker that decides."""
    found = check(pool(), observed(route(*TAKEN), parents=[front()]))

    assert (found.status, found.reason) == ("True", "Programmed")


def test_a_pool_without_a_gateway_needs_its_picker_only() -> None:
    """Whoever runs a gateway of his own names the picker to it."""
    assert check(pool(there=False), observed()).reason == "Programmed"
    assert check(pool(integration="None"), observed()).reason == "Programmed"
    assert check(pool(there=False), observed(), deciding=0).reason == "PickerNotReady"


@pytest.mark.parametrize(
    ("lacking", "reason", "words"),
    [
        (kinds.INFERENCE_POOL, "InferencePoolMissing", "the Gateway API Inference Extension brings"),
        (kinds.HTTP_ROUTE, "HTTPRouteMissing", "the Gateway API brings"),
    ],
)
def test_kinds_that_a_cluster_lacks_are_named_with_who_brings_them(
    lacking: kinds.Kind, reason: str, words: str
) -> None:
    """Their absence stops nothing else, and is over when they appear."""
    facts = replace(FACTS, apis=FACTS.apis - {str(lacking)})

    found = check(pool(), observed(facts=facts, parents=[front()]))

    assert (found.status, found.reason) == ("False", reason)
    assert words in found.message


def test_envoy_gateway_needs_its_own_kinds() -> None:
    """As the integration is asked for."""
    facts = replace(FACTS, apis=FACTS.apis - {str(kinds.ENVOY_EXTENSION_POLICY)})

    found = check(pool(integration="EnvoyGateway"), observed(route(*TAKEN), facts=facts, parents=[front()]))

    assert found.reason == "EnvoyExtensionPolicyMissing"
    assert check(pool(), observed(route(*TAKEN), facts=facts, parents=[front()])).status == "True"


def test_a_gateway_that_is_not_there_is_named() -> None:
    """With its namespace, which is often what is wrong."""
    found = check(pool(), observed(route()))

    assert found.reason == "GatewayNotFound"
    assert "there is no Gateway default/front" in found.message


def test_a_gateway_whose_class_is_known_is_there() -> None:
    """Also where its address is not read."""
    facts = replace(FACTS, controllers={ParentKey("default", "front"): "x"})

    assert check(pool(), observed(route(*TAKEN), facts=facts)).status == "True"


def test_a_gateway_that_is_not_programmed_says_why() -> None:
    """In its own words."""
    gateway = front(said("Programmed", "False", "AddressNotAssigned", "no address left"))

    found = check(pool(), observed(route(*TAKEN), parents=[gateway]))

    assert found.reason == "GatewayNotProgrammed"
    assert "Gateway default/front: AddressNotAssigned, no address left" in found.message


@pytest.mark.parametrize(
    "conditions",
    [
        (said("Accepted", "False", "NotAllowedByListeners", "no listener lets it in"),),
        (said("Accepted", "True"), said("ResolvedRefs", "False", "BackendNotFound", "no listener lets it in")),
    ],
)
def test_a_route_that_is_not_taken_says_why(conditions: tuple[Manifest, ...]) -> None:
    """Whether the Gateway refuses it or does not find what it leads to."""
    found = check(pool(), observed(route(*conditions), parents=[front()]))

    assert found.reason == "RouteNotAccepted"
    assert "no listener lets it in" in found.message


@pytest.mark.parametrize("objects", [(), (route(),), (route(*TAKEN, generation=2),), (route(*TAKEN, parent="other"),)])
def test_a_route_of_which_nobody_has_spoken_is_pending(objects: tuple[Manifest, ...]) -> None:
    """Before it is made, before anybody has looked, after a change, and where only others have."""
    assert check(pool(), observed(*objects, parents=[front()])).reason == "RoutePending"


@pytest.mark.parametrize(
    ("kind", "list_of", "reason"),
    [
        (kinds.BACKEND_TRAFFIC_POLICY, "ancestors", "PolicyNotAccepted"),
        (kinds.ENVOY_EXTENSION_POLICY, "ancestors", "PolicyNotAccepted"),
        (kinds.INFERENCE_POOL, "parents", "InferencePoolNotAccepted"),
    ],
)
def test_whatever_a_gateway_does_not_obey_is_named(kind: kinds.Kind, list_of: str, reason: str) -> None:
    """A route alone would pass the picker by."""
    refused = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "pool", "namespace": "default"},
        "status": {list_of: [{"conditions": [said("Accepted", "False", "Conflicted", "another one is older")]}]},
    }

    found = check(pool(), observed(route(*TAKEN), refused, parents=[front()]))

    assert found.reason == reason
    assert f"{kind.name} pool is not obeyed: Conflicted, another one is older" in found.message


def test_all_problems_are_told_and_the_first_is_the_reason() -> None:
    """Mending one at a time would take as many looks."""
    found = check(pool(), observed(), deciding=0)

    assert found.reason == "GatewayNotFound"
    assert "the route is about to be made; no picker decides yet" in found.message


LISTENERS = [
    {"name": "http", "protocol": "HTTP", "port": 80},
    {"name": "https", "protocol": "HTTPS", "port": 8443, "hostname": "models.example"},
    {"name": "tcp", "protocol": "TCP", "port": 9000},
]


@pytest.mark.parametrize(
    ("gateway", "parent", "address"),
    [
        ({}, front(), "http://10.1.2.3"),
        ({}, front(addresses=["fd00::1"]), "http://[fd00::1]"),
        ({}, front(addresses=["lb.example"]), "http://lb.example"),
        ({}, front(addresses=[]), ""),
        ({}, front(listeners=LISTENERS), "https://models.example:8443"),
        ({"hostnames": ["*.example", "llm.example"]}, front(), "http://llm.example"),
        ({"hostnames": ["*.example"]}, front(), "http://10.1.2.3"),
        ({"pathPrefix": "/llm/"}, front(), "http://10.1.2.3/llm"),
        ({"parentRefs": [{"name": "front", "sectionName": "http"}]}, front(listeners=LISTENERS), "http://10.1.2.3"),
        ({"parentRefs": [{"name": "front", "sectionName": "tcp"}]}, front(listeners=LISTENERS), ""),
        ({"parentRefs": [{"name": "front", "namespace": "other"}]}, front(), ""),
        ({"integration": "None"}, front(), ""),
    ],
)
def test_the_url_is_what_the_gateway_and_the_pool_say(gateway: dict[str, Any], parent: Manifest, address: str) -> None:
    """Host names before addresses, TLS before plain text, ports where they are unusual, the pool's own prefix."""
    assert url(pool(**gateway), observed(parents=[parent])) == address


def test_a_pool_without_a_gateway_has_no_url() -> None:
    """Nobody knows where it is reached."""
    assert url(pool(there=False), observed(parents=[front()])) == ""
