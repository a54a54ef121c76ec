"""Whatever pods there are, the endpoints they make keep their rules."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_objects import MODEL, pod, pool

from chimera_router.datalayer import discovery
from chimera_router.datalayer.membership import ACTIVE_PORTS, Membership, Standing, members
from chimera_router.datalayer.objects import InferencePool, Pod
from chimera_router.errors import ConfigError

MODELS = ("small", "large")
PORTS = st.lists(st.integers(1, 65535), min_size=1, max_size=8, unique=True)
ADDRESSES = st.ip_addresses().map(str)
LABELS = st.fixed_dictionaries(
    {}, optional={"app": st.sampled_from(["engines", "web"]), MODEL: st.sampled_from([*MODELS, "other", ""])}
)


@st.composite
def pods(draw: st.DrawFn, ports: list[int]) -> list[dict[str, Any]]:
    """Return pods with names and addresses of their own, in any order and any state."""
    listed = st.lists(st.sampled_from(ports) | st.integers(-3, 70_000) | st.text(max_size=3)).map(
        lambda each: ",".join(map(str, each))
    )
    addresses = draw(st.lists(ADDRESSES, max_size=6, unique=True))
    made = [
        pod(
            f"pod-{number // 2}{'-rank-0' * (number % 2)}",
            ip if draw(st.integers(0, 5)) else "",
            ready=draw(st.sampled_from(["True", "True", "False", "Unknown"])),
            labels=draw(LABELS),
            annotations=draw(st.dictionaries(st.sampled_from(ACTIVE_PORTS), listed)),
            deletionTimestamp=draw(st.sampled_from([None, None, "2026-01-01T00:00:00Z"])),
        )
        for number, ip in enumerate(addresses)
    ]
    return draw(st.permutations(made))


def found(ports: list[int], objects: list[dict[str, Any]], models: tuple[str, ...] = MODELS) -> Membership:
    return members(msgspec.convert(pool(*ports), InferencePool), [msgspec.convert(o, Pod) for o in objects], models)


@given(st.data(), PORTS)
def test_endpoints_could_stand_in_a_file(data: st.DataObject, ports: list[int]) -> None:
    """Names and addresses are unique, addresses are ip:port, models are the pool's: the rules of an endpoints file."""
    endpoints = found(ports, data.draw(pods(ports))).endpoints
    entries = [{"name": e.name, "address": e.address, "model": e.model} for e in endpoints]

    try:
        again = discovery.parse(msgspec.json.encode({"endpoints": entries}).decode(), models=MODELS)
    except ConfigError as error:
        raise AssertionError(str(error)) from error

    assert again == endpoints


@given(st.data(), PORTS)
def test_every_port_of_a_selected_pod_is_counted_once(data: st.DataObject, ports: list[int]) -> None:
    """Nothing is lost: the counts add up to the ports of the pods that the pool selects, the endpoints to their own."""
    objects = data.draw(pods(ports))
    membership = found(ports, objects)

    selected = [each for each in objects if each["metadata"]["labels"].get("app") == "engines"]
    assert sum(membership.counts.values()) == len(selected) * len(ports)
    assert membership.counts[Standing.ENDPOINT] == len(membership.endpoints)


@given(st.data(), PORTS)
def test_order_of_pods_does_not_matter(data: st.DataObject, ports: list[int]) -> None:
    """The same pods make the same list, in whatever order the server names them."""
    objects = data.draw(pods(ports))

    assert found(ports, objects) == found(ports, data.draw(st.permutations(objects)))


@given(st.data(), PORTS)
def test_pod_that_goes_takes_only_its_own_endpoints(data: st.DataObject, ports: list[int]) -> None:
    """What one pod does never changes the endpoints of another one."""
    objects = data.draw(pods(ports))
    for gone in objects:
        left = [each for each in objects if each is not gone]
        before, after = found(ports, objects).endpoints, found(ports, left).endpoints
        own = {endpoint for endpoint in before if endpoint in found(ports, [gone]).endpoints}
        assert set(before) - own == set(after)
