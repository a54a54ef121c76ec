"""How many replicas are wished."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chimera_operator.api.scaling import Scaling
from chimera_operator.planning.choosing.scaling import Standing, Wish, wish
from chimera_operator.planning.memory import Sample
from chimera_operator.planning.observed import Demand

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def scaling(**fields: Any) -> Scaling:
    return Scaling.model_validate(fields)


def auto(**fields: Any) -> Scaling:
    """Return scaling to 10 replicas of 1,000 tokens each, up after 30 s and down after 300 s."""
    return scaling(auto={"maxReplicas": 10, "targetBacklogTokensPerReplica": 1000, **fields})


def demand(tokens: int = 0, *, waiting: int = 0, idle: float = 0.0) -> Demand:
    return Demand(backlog_tokens=tokens, waiting=waiting, idle_seconds=idle)


class Clock:
    """Scaling looked at every 15 seconds, as the operator does; the replicas that it wishes are there at once."""

    def __init__(self, scaling: Scaling, replicas: int | None, *, failing: int = 0) -> None:
        self.scaling, self.replicas, self.failing = scaling, replicas, failing
        self.samples: tuple[Sample, ...] = ()
        self.now = BEGIN

    def look(self, asked: Demand | None) -> int:
        standing = Standing(
            wished=self.replicas, serving=0 if self.failing else self.replicas or 0, failing=self.failing, demand=asked
        )
        found: Wish = wish(self.scaling, standing, self.samples, now=self.now)
        self.replicas, self.samples = found.replicas, found.samples
        self.now += timedelta(seconds=15)
        return found.replicas

    def run(self, asked: Demand | None, seconds: float) -> list[int]:
        return [self.look(asked) for _ in range(int(seconds / 15))]


def test_fixed_replicas_are_what_the_pool_says() -> None:
    """Whatever is asked for, and whatever the PooledModel says."""
    standing = Standing(wished=7, serving=7, demand=demand(10**6))

    assert wish(scaling(replicas=3), standing, (), now=BEGIN) == Wish(replicas=3)


def test_one_replica_where_nothing_is_said() -> None:
    """As every other workload begins."""
    assert wish(scaling(), Standing(wished=None), (), now=BEGIN).replicas == 1


@pytest.mark.parametrize(("said", "wished"), [(None, 1), (5, 5), (0, 0)])
def test_somebody_else_scales_through_the_pooled_model(said: int | None, wished: int) -> None:
    """External scaling begins with one and then is what the PooledModel says, zero too."""
    assert wish(scaling(external={}), Standing(wished=said), (), now=BEGIN) == Wish(replicas=wished)


def test_a_load_that_stays_is_followed_after_the_window() -> None:
    """Not by the first look, which may have seen a burst."""
    clock = Clock(auto(), 1)

    assert clock.run(demand(4500), 60) == [1, 1, 5, 5]


def test_a_burst_shorter_than_the_window_changes_nothing() -> None:
    """It is over before another replica serves."""
    clock = Clock(auto(), 2)
    clock.run(demand(2000), 60)

    assert clock.look(demand(9000)) == 2
    assert clock.run(demand(2000), 60) == [2, 2, 2, 2]


def test_the_least_that_was_asked_for_within_the_window_is_what_comes() -> None:
    """A peak inside a rise does not add more than what was asked for all the time."""
    clock = Clock(auto(), 1)
    clock.run(demand(1000), 60)

    assert [clock.look(demand(tokens)) for tokens in (3000, 9000, 3000, 3000)][-1] == 3


def test_replicas_go_after_the_longer_window() -> None:
    """The most that was asked for within five minutes stays."""
    clock = Clock(auto(), 6)
    clock.run(demand(6000), 60)

    assert set(clock.run(demand(1000), 285)) == {6}
    assert clock.run(demand(1000), 45)[-1] == 1


def test_loads_within_a_tenth_of_what_is_there_change_nothing() -> None:
    """4,300 tokens on four replicas of 1,000 are no reason for a fifth."""
    clock = Clock(auto(), 4)

    assert set(clock.run(demand(4300), 120)) == {4}
    assert clock.run(demand(4500), 120)[-1] == 5


@pytest.mark.parametrize(("tokens", "replicas"), [(0, 2), (100_000, 10)])
def test_the_bounds_hold(tokens: int, replicas: int) -> None:
    """Also over all time."""
    clock = Clock(auto(minReplicas=2), 4)

    assert clock.run(demand(tokens), 900)[-1] == replicas


def test_bounds_that_change_are_obeyed_at_once() -> None:
    """A lower maximum waits for no window."""
    assert Clock(auto(maxReplicas=3), 8).look(demand(8000)) == 3
    assert Clock(auto(minReplicas=4), 1).look(demand(0)) == 4


def test_nobody_to_ask_is_no_reason_to_shrink() -> None:
    """While no picker answers replicas stay, and afterwards a whole window has to pass."""
    clock = Clock(auto(), 5)
    clock.run(demand(5000), 60)

    assert set(clock.run(None, 1800)) == {5}
    assert set(clock.run(demand(0), 285)) == {5}
    assert clock.run(demand(0), 45)[-1] == 1


def test_a_model_that_fails_is_not_made_more_of() -> None:
    """Requests that pile up before replicas that crash ask for ever more of them."""
    clock = Clock(auto(), 1, failing=1)
    assert set(clock.run(demand(100_000), 600)) == {1}

    clock.failing = 0
    assert clock.run(demand(100_000), 60)[-1] == 10


def test_one_bad_replica_among_many_does_not_stop_growth() -> None:
    """Only where as many fail as serve would more of them fail."""
    standing = Standing(wished=4, serving=3, failing=1, demand=demand(9000))
    samples = tuple(Sample(BEGIN - timedelta(seconds=age), 9) for age in (45, 30, 15))

    assert wish(auto(), standing, samples, now=BEGIN).replicas == 9


ZERO = {"scaleToZero": {"idleSeconds": 600}}


def test_a_model_that_nobody_asks_for_goes_to_sleep() -> None:
    """After its idle time, all replicas at once."""
    clock = Clock(auto(**ZERO), 3)

    assert clock.look(demand(idle=599)) == 3
    assert clock.look(demand(idle=600)) == 0


@pytest.mark.parametrize("asked", [demand(idle=9000, waiting=1), demand(10, idle=9000), None])
def test_a_model_with_work_stays_awake(asked: Demand | None) -> None:
    """Requests that wait or run count, however long ago the last one came; and so does not knowing."""
    assert Clock(auto(**ZERO), 2).look(asked) == 2


def test_only_who_may_sleep_does() -> None:
    """Without scaleToZero the least number of replicas stays."""
    assert Clock(auto(), 1).run(demand(idle=90_000), 900)[-1] == 1


def test_a_request_that_waits_wakes_the_model() -> None:
    """At once, to its least number of replicas; until then it sleeps, also where nobody can tell."""
    clock = Clock(auto(minReplicas=2, **ZERO), 0)

    assert clock.run(demand(idle=9000), 60) == [0, 0, 0, 0]
    assert clock.look(None) == 0
    assert clock.look(demand(300, waiting=1)) == 2


def test_a_model_that_woke_follows_the_load() -> None:
    """As any other."""
    clock = Clock(auto(**ZERO), 0)
    clock.run(demand(idle=9000), 300)

    assert clock.run(demand(5000, waiting=9), 90)[-1] == 5


def test_a_model_that_may_no_longer_sleep_wakes() -> None:
    """Taking scaleToZero away is a wish for replicas."""
    assert Clock(auto(), 0).look(demand(idle=9000)) == 1


def test_samples_are_bounded_however_often_one_looks() -> None:
    """Two of a second are kept, and none that has left the windows."""
    samples: tuple[Sample, ...] = ()
    for tick in range(20_000):
        now = BEGIN + timedelta(milliseconds=50 * tick)
        standing = Standing(wished=2, serving=2, demand=demand(1000 + tick % 3000))
        samples = wish(auto(), standing, samples, now=now).samples

    assert len(samples) <= 2 * 300 + 2
    assert samples[0].at > now - timedelta(seconds=301)


def test_the_load_is_looked_at_every_fifteen_seconds() -> None:
    """Only where it decides: the others need no look."""
    assert wish(auto(), Standing(wished=1), (), now=BEGIN).look_again == timedelta(seconds=15)
    assert wish(scaling(external={}), Standing(wished=1), (), now=BEGIN).look_again is None
