"""Which cards are free, and for whom."""

from typing import Any

import pytest

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.core import Toleration
from chimera_operator.api.model import ModelSpec
from chimera_operator.planning.capacity.cards import MEMORY_GB, Need, memory_gb, need, resource_of
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.reading.nodes import Node, Taint, nodes, taken

GPU = "nvidia.com/gpu"


def node(name: str = "n", cards: int = 8, used: int = 0, **fields: Any) -> Node:
    return Node(name=name, allocatable={GPU: cards}, used={GPU: used}, **fields)


def cards(count: int = 1, *tolerations: Toleration, resource: str | None = GPU, **selector: str) -> Need:
    return Need(resource=resource, count=count, selector=selector, tolerations=tolerations)


def tolerating(**fields: str) -> Toleration:
    return Toleration.model_validate(fields)


def test_a_replica_needs_its_cards_on_one_node() -> None:
    """Two nodes with three free cards are room for no replica of four, and for six of one."""
    room = Room((node("a", 4, used=1), node("b", 4, used=1)))

    assert room.fits(cards(4)) == 0
    assert room.fits(cards(3)) == 2
    assert room.fits(cards(1)) == 6


def test_labels_tell_kinds_of_cards_apart() -> None:
    """A node without the labels does not count, whatever it has free."""
    room = Room((node("a", labels={"gpu": "h100"}), node("b", labels={"gpu": "a100"}), node("c")))

    assert room.fits(cards(8, gpu="h100")) == 1
    assert room.fits(cards(8)) == 3


def test_a_cordoned_node_takes_nobody() -> None:
    """Its cards are not free."""
    assert Room((node(schedulable=False),)).fits(cards()) == 0


GPU_TAINT = Taint(GPU, "present", "NoSchedule")


@pytest.mark.parametrize(
    ("taint", "toleration", "fits"),
    [
        (GPU_TAINT, None, False),
        (GPU_TAINT, tolerating(key=GPU, operator="Exists"), True),
        (GPU_TAINT, tolerating(key=GPU, value="present"), True),
        (GPU_TAINT, tolerating(key=GPU, value="other"), False),
        (GPU_TAINT, tolerating(key="other", operator="Exists"), False),
        (GPU_TAINT, tolerating(operator="Exists"), True),
        (GPU_TAINT, tolerating(key=GPU, operator="Exists", effect="NoExecute"), False),
        (GPU_TAINT, tolerating(key=GPU, operator="Exists", effect="NoSchedule"), True),
        (Taint(GPU, "", "NoSchedule"), tolerating(key=GPU), True),
        (Taint(GPU, "present", "PreferNoSchedule"), None, True),
        (Taint("node.kubernetes.io/unreachable", "", "NoExecute"), None, False),
    ],
)
def test_taints_keep_away_who_does_not_bear_them(taint: Taint, toleration: Toleration | None, *, fits: bool) -> None:
    """As the scheduler has it; a preference keeps nobody away."""
    found = Room((node(taints=(taint,)),)).fits(cards(1, *([toleration] if toleration else [])))

    assert bool(found) is fits


def test_what_is_taken_is_gone_for_the_next() -> None:
    """Replicas fill nodes one after another, as far as they find a place."""
    room = Room((node("a", 4), node("b", 4)))

    assert room.taking(cards(3), 1).fits(cards(4)) == 1
    assert room.taking(cards(3), 5).fits(cards(1)) == 2
    assert room.taking(cards(3), 0) == room


def test_what_is_given_back_is_there_again() -> None:
    """On its node only."""
    room = Room((node("a", 4, used=4), node("b", 4, used=4)))

    after = room.giving_back({GPU: 2}, "a")

    assert (after.fits(cards(2)), after.fits(cards(4))) == (1, 0)


def test_claimed_devices_are_not_counted() -> None:
    """Nodes do not tell how many there are, so nobody knows."""
    claimed = cards(resource=None)

    assert Room((node(),)).fits(claimed) is None
    assert Room((node(),)).taking(claimed, 3) == Room((node(),))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([node("a", 8, used=6), node("b", 8, used=7)], "3 of 16 free on 2 nodes, at most 2 on one"),
        ([node("a", 8, used=6)], "2 of 8 free on 1 node"),
        ([node("a", 8, schedulable=False)], "no node has any"),
        ([], "no node has any"),
    ],
)
def test_what_is_free_is_told_in_words(found: list[Node], words: str) -> None:
    """How many, of how many, where."""
    assert Room(tuple(found)).told(cards(4)) == words


def test_nodes_know_what_pods_of_anybody_take() -> None:
    """Pods that are at their end, or have no node yet, take nothing."""
    manifest = {"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "64", "memory": "1Ti", GPU: "8"}}}
    pods = [_pod("a", 2), _pod("a", 1, phase="Succeeded"), _pod("a", 1, phase="Failed"), _pod("", 1), _pod("b", 1)]

    (found,) = nodes([manifest], pods)

    assert found.allocatable == {GPU: 8}
    assert found.free(GPU) == 6
    assert found.free("amd.com/gpu") == 0


def _pod(place: str, cards: int, phase: str = "Running") -> dict[str, Any]:
    container = {"name": "x", "resources": {"limits": {GPU: str(cards), "cpu": "1"}}}
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": place, "containers": [container]},
        "status": {"phase": phase},
    }


def test_a_node_tells_its_taints_and_whether_it_is_cordoned() -> None:
    """A taint without a value has an empty one."""
    spec = {"taints": [{"key": "k", "effect": "NoSchedule"}], "unschedulable": True}

    (found,) = nodes([{"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": spec}], [])

    assert found == Node(
        name="a", labels={"x": "y"}, taints=(Taint("k", "", "NoSchedule"),), schedulable=False, allocatable={}, used={}
    )


def test_a_pod_takes_what_its_containers_or_its_largest_init_container_take() -> None:
    """Init containers run one after another, before the others."""
    spec = {
        "containers": [
            {"name": "a", "resources": {"limits": {GPU: "1"}}},
            {"name": "b", "resources": {"requests": {GPU: 2}}},
        ],
        "initContainers": [{"name": "c", "resources": {"limits": {GPU: "4"}}}, {"name": "d"}],
    }

    assert taken({"spec": spec}) == {GPU: 4}
    assert taken({"spec": {"containers": spec["containers"]}}) == {GPU: 3}


def test_an_alternative_needs_the_product_of_the_parallelism() -> None:
    """On nodes with the labels of both the pod and the alternative, bearing the taints of both."""
    model = ModelSpec.model_validate_json(
        """{"name": "m", "parallelism": {"tensor": 2, "data": 2},
        "pod": {"nodeSelector": {"zone": "a"}, "tolerations": [{"key": "x", "operator": "Exists"}]}}"""
    )
    accelerator = Accelerator.model_validate_json(
        """{"class": "nvidia-h100", "nodeSelector": {"gpu": "h100"},
        "tolerations": [{"key": "y", "operator": "Exists"}]}"""
    )

    found = need(model, accelerator)

    assert (found.resource, found.count, found.selector) == (GPU, 4, {"zone": "a", "gpu": "h100"})
    assert [toleration.key for toleration in found.tolerations] == ["x", "y"]


@pytest.mark.parametrize(
    ("fields", "resource", "memory"),
    [
        ({}, GPU, 80),
        ({"mig": "1g.10gb"}, "nvidia.com/mig-1g.10gb", 10),
        ({"resource": "amd.com/gpu"}, "amd.com/gpu", 80),
        ({"resourceClaimTemplate": {"name": "half"}}, None, 80),
        ({"class": "some-card"}, GPU, None),
    ],
)
def test_an_alternative_tells_its_resource_and_memory(
    fields: dict[str, Any], resource: str | None, memory: float | None
) -> None:
    """A slice has its own; of a class that nobody knows the memory is not known."""
    accelerator = Accelerator.model_validate({"class": "nvidia-h100", **fields})

    assert (resource_of(accelerator), memory_gb(accelerator)) == (resource, memory)


def test_every_class_has_a_memory_that_cards_have() -> None:
    """Between the smallest and the largest that are sold."""
    assert all(16 <= memory <= 288 for memory in MEMORY_GB.values())
