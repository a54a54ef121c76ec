"""Pools are looked at when something has changed about them, and from time to time."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import structlog

from chimera_operator.cluster.errors import ApiFailure, ApiServerError, LeaseLost, NotOurs, PoolGone
from chimera_operator.cluster.store import Name
from chimera_operator.controller import CAP, WORKERS, Controller
from chimera_operator.rendering.manifest import ObjectKey

pytestmark = pytest.mark.anyio

A, B = Name("ns", "a"), Name("ns", "b")


class Looks:
    """Counts looks, and remembers what came of them."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def looked(self, outcome: str, _seconds: float) -> None:
        self.outcomes.append(outcome)


@asynccontextmanager
async def controller(
    reconcile: Callable[[Name], Awaitable[float | None]], *, resync: float = 600.0
) -> AsyncIterator[tuple[Controller, Looks, "asyncio.Task[None]"]]:
    looks = Looks()
    made = Controller(reconcile=reconcile, observer=looks, resync=resync, chance=lambda: 1.0)
    task = asyncio.create_task(made.run())
    try:
        yield made, looks, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ExceptionGroup):
            await task


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110 - there is nothing that tells
            await asyncio.sleep(0.005)


async def test_a_pool_that_was_woken_is_looked_at() -> None:
    """Several changes at once are one look."""
    seen: list[Name] = []

    async def reconcile(name: Name) -> None:
        seen.append(name)

    async with controller(reconcile) as (made, looks, _):
        for name in (A, A, B, A):
            made.wake(name)
        await reached(lambda: len(seen) == 2)
        assert sorted(seen) == [A, B]
        assert looks.outcomes == ["done", "done"]


async def test_a_pool_is_looked_at_again_when_its_plan_says_so() -> None:
    """Whichever is sooner: what the plan asks for, or the time of the regular look."""
    seen: list[Name] = []

    async def reconcile(name: Name) -> float | None:
        seen.append(name)
        return 0.01 if name == A else None

    async with controller(reconcile, resync=0.02) as (made, _, _):
        made.wake(A)
        made.wake(B)
        await reached(lambda: seen.count(A) > 2 and seen.count(B) > 1)


async def test_a_pool_that_fails_stops_no_other() -> None:
    """It is tried again, with waits that grow; its kind of failure is logged, its text is not."""
    seen: list[Name] = []

    async def reconcile(name: Name) -> None:
        seen.append(name)
        if name == A:
            raise ValueError("secret")

    with structlog.testing.capture_logs() as logs:
        async with controller(reconcile) as (made, looks, _):
            made.wake(A)
            made.wake(B)
            await reached(lambda: seen.count(A) == 3)
            assert seen.count(B) == 1
            assert looks.outcomes.count("failed") >= 2

    assert logs[0]["kind"] == "ValueError"
    assert logs[0]["at"].startswith("test_operator_controller.py:")
    assert "secret" not in str(logs)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ApiServerError(ApiFailure.INVALID, said="secret"), "invalid"),
        (NotOurs(ObjectKey("v1", "Service", "ns", "a")), "Service a exists and does not belong to the pool"),
    ],
)
async def test_failures_of_the_cluster_are_told_by_name(error: Exception, why: str) -> None:
    """What the API server said beyond the kind of failure stays out of the log."""

    async def reconcile(_name: Name) -> None:
        raise error

    with structlog.testing.capture_logs() as logs:
        async with controller(reconcile) as (made, looks, _):
            made.wake(A)
            await reached(lambda: "failed" in looks.outcomes)

    assert logs[0]["failure"] == why
    assert "secret" not in str(logs)


async def test_a_server_that_asks_for_time_gets_it() -> None:
    """A pool that was refused with a Retry-After is not tried before."""
    seen: list[float] = []

    async def reconcile(_name: Name) -> None:
        seen.append(asyncio.get_running_loop().time())
        raise ApiServerError(ApiFailure.THROTTLED, retry_after=0.2)

    async with controller(reconcile) as (made, _, _):
        made.wake(A)
        await reached(lambda: len(seen) == 2)
    assert seen[1] - seen[0] >= 0.2


async def test_a_pool_that_is_gone_is_not_looked_at_again() -> None:
    """Nothing is left of it to look at, until something is heard of it."""
    seen: list[Name] = []

    async def reconcile(name: Name) -> None:
        seen.append(name)
        raise PoolGone

    async with controller(reconcile, resync=0.01) as (made, looks, _):
        made.wake(A)
        await reached(lambda: looks.outcomes == ["gone"])
        await asyncio.sleep(0.05)
        assert seen == [A]
        made.wake(A)
        await reached(lambda: len(seen) == 2)


async def test_success_ends_the_back_off() -> None:
    """After a pool was brought on, the next failure is the first again."""
    waits: list[float] = []
    fails = iter([True, True, True, False, True, False])

    async def reconcile(_name: Name) -> float:
        waits.append(asyncio.get_running_loop().time())
        if next(fails, False):
            raise ApiServerError(ApiFailure.SERVER_ERROR)
        return 0.0

    async with controller(reconcile) as (made, _, _):
        made.wake(A)
        await reached(lambda: len(waits) >= 6)
    between = [after - before for before, after in itertools.pairwise(waits)]
    assert between[2] > between[4]


async def test_no_pool_is_looked_at_twice_at_a_time() -> None:
    """However often it is woken; and as many pools at a time as there are workers."""
    under_way: list[Name] = []
    most = 0
    go = asyncio.Event()

    async def reconcile(name: Name) -> None:
        nonlocal most
        assert name not in under_way
        under_way.append(name)
        most = max(most, len(under_way))
        await go.wait()
        under_way.remove(name)

    async with controller(reconcile) as (made, looks, _):
        for number in range(2 * WORKERS):
            made.wake(Name("ns", str(number)))
        await reached(lambda: len(under_way) == WORKERS)
        made.wake(under_way[0])
        go.set()
        await reached(lambda: len(looks.outcomes) == 2 * WORKERS + 1)
    assert most == WORKERS


async def test_a_lost_lease_ends_everything() -> None:
    """Who does not lead any more looks at nothing any more."""

    async def reconcile(_name: Name) -> None:
        raise LeaseLost

    async with controller(reconcile) as (made, _, task):
        made.wake(A)
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(task, 5.0)
    assert ended.group_contains(LeaseLost)


def test_a_pool_that_fails_is_tried_twice_a_minute() -> None:
    """Drift is repaired, and an API server that is back is used, within half a minute."""
    assert CAP <= 30.0
