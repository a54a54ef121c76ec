"""Which pools are to be looked at, and when."""

import asyncio
import time

import pytest
import uvloop

from chimera_operator.cluster.workqueue import WorkQueue

pytestmark = pytest.mark.anyio

LATER = 60.0  # seconds, longer than any test


async def taken(queue: WorkQueue[str]) -> str:
    return await asyncio.wait_for(queue.take(), 5.0)


async def test_a_key_is_taken_once_however_often_it_was_added() -> None:
    """Ten events about a pool are one look."""
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(10):
        queue.add("a")
    queue.add("b")

    assert [await taken(queue), await taken(queue)] == ["a", "b"]
    assert len(queue) == 0


async def test_the_earliest_time_counts() -> None:
    """What is due in a minute is due now, if somebody asks for now; and not the other way round."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", after=LATER)
    queue.add("a")
    queue.add("b")
    queue.add("b", after=LATER)

    assert {await taken(queue), await taken(queue)} == {"a", "b"}


async def test_what_is_due_later_comes_later() -> None:
    """Nobody gets a key before it is due."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a", after=0.05)
    began = asyncio.get_running_loop().time()

    assert await taken(queue) == "a"
    assert asyncio.get_running_loop().time() >= began + 0.045


async def test_a_key_is_never_taken_twice_at_a_time() -> None:
    """What is asked for while somebody works on it comes again afterwards."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await taken(queue) == "a"

    queue.add("a")
    second = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0.02)
    assert not second.done()

    queue.done("a")
    assert await asyncio.wait_for(second, 5.0) == "a"


async def test_a_key_that_nobody_asked_for_meanwhile_does_not_come_again() -> None:
    """Work that is done is done."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await taken(queue)
    queue.done("a")

    queue.add("b")
    assert await taken(queue) == "b"
    assert len(queue) == 0


async def test_what_was_asked_for_meanwhile_keeps_its_time() -> None:
    """The earliest of what was asked for while it was worked on."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await taken(queue)
    queue.add("a", after=LATER)
    queue.add("a", after=0.0)
    queue.add("a", after=LATER)
    queue.done("a")

    assert await taken(queue) == "a"


async def test_several_workers_share() -> None:
    """Every key goes to one of those who wait."""
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.ensure_future(queue.take()) for _ in range(3)]
    for key in "abc":
        queue.add(key)

    assert sorted(await asyncio.wait_for(asyncio.gather(*workers), 5.0)) == ["a", "b", "c"]


def test_a_timer_that_has_gone_off_is_no_trouble() -> None:
    """On the operator's own event loop too, however late it comes to its timers."""

    async def work(queue: WorkQueue[int]) -> None:
        while True:
            key = await queue.take()
            await asyncio.sleep(0)
            queue.done(key)

    async def hurry() -> None:
        queue: WorkQueue[int] = WorkQueue()
        worker = asyncio.ensure_future(work(queue))
        for number in range(600):
            queue.add(number % 5, after=(number % 3) * 0.0005)
            if number % 7 == 0:
                time.sleep(0.001)  # noqa: ASYNC251 - what makes timers late
            if number % 3 == 0:
                await asyncio.sleep(0)
        worker.cancel()

    uvloop.run(hurry())
