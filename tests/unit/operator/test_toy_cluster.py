"""The toy of Kubernetes keeps the laws of rolling updates that planning relies on."""

from typing import Any

import pytest
from toy_cluster import ToyCluster

from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.result import Plan

LABELS = {"gpu": "h100"}


def told(
    revision: str, replicas: int = 3, *, surge: int = 1, unavailable: int = 0, kind: str = "RollingUpdate"
) -> Plan:
    """Return a plan of one Deployment."""
    rolling = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}} if kind == "RollingUpdate" else {}
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    template = {
        "metadata": {"labels": {"chimera.dev/model": "m", "chimera.dev/revision": revision}},
        "spec": {"nodeSelector": LABELS, "containers": [{"name": "engine", "resources": limits}]},
    }
    manifest: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"replicas": replicas, "strategy": {"type": kind, **rolling}, "template": template},
    }
    return Plan(objects=(manifest,), untouched=frozenset(), status=PoolStatus(), memory=Memory())


def cluster(cards: int = 4, *, revision: str = "a") -> ToyCluster:
    """Return a cluster in which three replicas serve."""
    found = ToyCluster(cards={"n": (cards, LABELS)})
    found.apply(told(revision))
    run(found, 80)
    assert found.serving("m") == 3
    return found


def run(found: ToyCluster, seconds: float) -> tuple[int, int]:
    """Let time pass; return the least that served, and the most replicas that there were."""
    least, most = 99, 0
    for _ in range(int(seconds / 5)):
        found.step(5)
        least = min(least, found.serving("m"))
        most = max(most, sum(pod.active for pod in found.pods))
    return least, most


def revisions(found: ToyCluster) -> set[str]:
    return {pod.labels["chimera.dev/revision"] for pod in found.pods if pod.active}


@pytest.mark.parametrize(
    ("surge", "unavailable", "least", "most"), [(1, 0, 3, 4), (0, 1, 2, 3), (0, 2, 1, 3), (2, 0, 3, 5)]
)
def test_a_rolling_update_keeps_its_bounds(surge: int, unavailable: int, least: int, most: int) -> None:
    """Never fewer than what must be available, never more than the surge, and it comes to its end."""
    found = cluster(cards=6)

    found.apply(told("b", surge=surge, unavailable=unavailable))

    assert run(found, 600) == (least, most)
    assert revisions(found) == {"b"}


def test_recreation_ends_all_before_it_begins_any() -> None:
    """Also those that still drain."""
    found = cluster()

    found.apply(told("b", kind="Recreate"))

    assert run(found, 200)[0] == 0
    assert revisions(found) == {"b"}
    assert found.serving("m") == 3


def test_a_rolling_update_stops_at_what_fails() -> None:
    """Old replicas are not given up for new ones that do not come up."""
    found = cluster()
    found.broken.add("b")

    found.apply(told("b"))

    assert run(found, 900) == (3, 4)
    (condition,) = next(found.deployments())["status"]["conditions"]
    assert condition["reason"] == "ProgressDeadlineExceeded"


def test_a_rollback_takes_the_old_replicas_back() -> None:
    """Those that still serve are not replaced."""
    found = cluster()
    before = {pod.name for pod in found.pods}
    found.broken.add("b")
    found.apply(told("b"))
    run(found, 60)

    found.apply(told("a"))
    run(found, 120)

    assert {pod.name for pod in found.pods if pod.active} == before


def test_a_card_is_taken_until_its_pod_is_gone() -> None:
    """A replica that drains still holds its own."""
    found = cluster(cards=3)

    found.apply(told("b", surge=0, unavailable=1))
    found.step(5)

    assert [pod.node for pod in found.pods if pod.active and pod.labels["chimera.dev/revision"] == "b"] == [""]


def test_what_finds_no_card_says_so() -> None:
    """In the scheduler's words."""
    found = ToyCluster(cards={"n": (2, LABELS), "other": (8, {})})

    found.apply(told("a"))
    found.step(5)

    assert [pod.unschedulable for pod in found.pods if pod.unschedulable] == [
        "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
    ]


def test_a_lost_node_loses_its_replicas() -> None:
    """Others take their place where there is one."""
    found = ToyCluster(cards={"n": (3, LABELS), "other": (3, LABELS)})
    found.apply(told("a"))
    run(found, 80)

    found.lost.add("n")
    run(found, 120)

    assert {pod.node for pod in found.pods if pod.ready} == {"other"}
    assert found.serving("m") == 3


def test_fewer_replicas_end_those_that_do_not_serve() -> None:
    """As ReplicaSets rank them."""
    found = cluster(cards=3)
    found.apply(told("a", 5))
    run(found, 20)

    found.apply(told("a", 3))

    assert run(found, 60) == (3, 3)


def test_what_is_written_twice_is_written_once() -> None:
    """The second time nothing differs."""
    found = cluster()
    writes = found.writes

    found.apply(told("a"))

    assert found.writes == writes
