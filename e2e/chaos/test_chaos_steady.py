"""Fifty requests a second with answers of twenty seconds, a thousand at a time, while their engines change."""

import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest
from served_pools import Look, Served, Status, applied, model, pool, settled
from under_load import under_load

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(600)

RATE = 50.0  # chats a second
TOKENS = 20  # of an answer, a second each
ANSWER = 20.0  # seconds that it takes
DRAIN = 60  # seconds that answers get to end: three times what they take, the machine being busy


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """A model on three engines, and two pickers."""
    assert (release, gateway_class) == ("chimera-system", "envoy")
    slow = model("small", token_ms=1000, replicas=3, rollout={"drainSeconds": DRAIN})
    with cluster.space() as space, applied(cluster, space, pool("steady", slow)) as made:
        yield made


def await_look(looks: list[Look], what: str, holds: Callable[[Status], bool], *, seconds: float) -> None:
    """Wait until the newest look shows what is waited for: the machine has no time for more questions.

    Raises:
        AssertionError: It does not in time.
    """
    started = time.monotonic()
    while not looks or looks[-1].at < started or not holds(dict(looks[-1].status)):
        assert time.monotonic() - started < seconds, f"{what} took more than {seconds} s"
        time.sleep(0.5)


def test_rolling_update_and_scale_down_lose_none_of_fifty_a_second(served: Served) -> None:
    """All engines are replaced, then one is taken away, under a thousand answers at a time: each is whole."""
    old = set(served.pods(model="small"))
    before = served.model("small")["revision"]
    with under_load(served, "fifty a second", models=("small",), rate=RATE, tokens=TOKENS) as (chats, looks):
        time.sleep(ANSWER)  # until as many begin as end
        served.change_model("small", pod={"annotations": {"test/round": "2"}})
        await_look(
            looks,
            "the update",
            lambda status: status["models"][0]["revision"] != before and settled(status),
            seconds=240,
        )
        new = set(served.pods(model="small"))
        time.sleep(ANSWER)
        served.change_model("small", scaling={"replicas": 2})
        await_look(looks, "an engine fewer", lambda status: status["readyReplicas"] == "2/2", seconds=60)
        time.sleep(ANSWER)

    took = [each.ended - each.began for each in chats.ended if not each.failure]
    began = [each.began for each in chats.ended]
    rate = len(began) / (max(began) - min(began))
    sys.stdout.write(f"{rate:.1f} chats a second, {median(took):.1f} s each (p50), {max(took):.1f} s at most\n")
    assert chats.failures() == {}
    assert old.isdisjoint(new)
    assert old | new <= chats.pods()
    assert median(took) >= ANSWER - 1
    assert rate > 0.95 * RATE
