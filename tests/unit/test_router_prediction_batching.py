import asyncio
import threading
from collections.abc import Sequence

import pytest

from chimera_router.prediction import batching
from chimera_router.prediction.batching import LARGEST_BATCH, Batcher, QueueFullError

pytestmark = pytest.mark.anyio

PATIENCE = 10.0  # seconds to wait for another thread


class Worker:
    """Doubles numbers, one batch for each permission, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.started = threading.Semaphore(0)
        self.permissions = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.threads.add(threading.current_thread().name)
        self.started.release()
        assert self.permissions.acquire(timeout=PATIENCE)
        return [2 * item for item in items]

    async def begun(self) -> None:
        """Wait until a batch is under way."""
        assert await asyncio.to_thread(self.started.acquire, timeout=PATIENCE)

    def allow(self, batches: int = 1) -> None:
        self.permissions.release(batches)


async def queued(batcher: Batcher[int, int], items: Sequence[int]) -> list[asyncio.Task[int]]:
    """Submit items and let every task come as far as it can."""
    tasks = [asyncio.create_task(batcher.submit(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def test_a_lone_request_waits_for_nobody() -> None:
    """The first request starts a batch of its own at once."""
    worker = Worker()
    worker.allow()
    batcher = Batcher(worker, name="test")

    assert await batcher.submit(21) == 42
    assert worker.batches == [[21]]
    await batcher.aclose()


async def test_requests_that_arrive_while_a_batch_runs_form_the_next() -> None:
    """They do not queue one by one."""
    worker = Worker()
    batcher = Batcher(worker, name="test")
    first = await queued(batcher, [1])
    await worker.begun()

    later = await queued(batcher, [2, 3, 4])
    worker.allow(2)

    assert await asyncio.gather(*first, *later) == [2, 4, 6, 8]
    assert worker.batches == [[1], [2, 3, 4]]
    await batcher.aclose()


async def test_batches_have_a_largest_size_and_keep_the_order() -> None:
    """What does not fit goes into the one after."""
    worker = Worker()
    batcher = Batcher(worker, name="test")
    first = await queued(batcher, [0])
    await worker.begun()
    count = 2 * LARGEST_BATCH + 3

    later = await queued(batcher, range(1, count))
    worker.allow(10)

    assert await asyncio.gather(*first, *later) == [2 * number for number in range(count)]
    assert [len(batch) for batch in worker.batches] == [1, LARGEST_BATCH, LARGEST_BATCH, 2]
    await batcher.aclose()


async def test_work_runs_in_one_thread_that_is_not_the_event_loops() -> None:
    """Sessions are not shared between threads, and the loop stays free."""
    worker = Worker()
    worker.allow(5)
    batcher = Batcher(worker, name="test")

    for number in range(5):
        await batcher.submit(number)

    assert len(worker.threads) == 1
    assert threading.current_thread().name not in worker.threads
    await batcher.aclose()


async def test_a_fault_reaches_every_caller_of_its_batch_and_no_other() -> None:
    """The next batch runs as if nothing had happened."""

    def work(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise ZeroDivisionError
        return list(items)

    batcher = Batcher(work, name="test")

    with pytest.raises(ZeroDivisionError):
        await batcher.submit(0)
    assert await batcher.submit(7) == 7
    await batcher.aclose()


async def test_a_caller_that_left_is_not_worked_for() -> None:
    """A cancelled request takes no place in a batch."""
    worker = Worker()
    batcher = Batcher(worker, name="test")
    first = await queued(batcher, [1])
    await worker.begun()
    gone, stays = await queued(batcher, [2, 3])

    gone.cancel()
    await asyncio.sleep(0)
    worker.allow(2)

    assert await asyncio.gather(*first, stays) == [2, 6]
    assert worker.batches == [[1], [3]]
    await batcher.aclose()


async def test_a_caller_that_leaves_while_its_batch_runs_disturbs_nobody() -> None:
    """The others of the batch get their results."""
    worker = Worker()
    batcher = Batcher(worker, name="test")
    (first,) = await queued(batcher, [1])
    await worker.begun()

    first.cancel()
    (second,) = await queued(batcher, [2])
    worker.allow(2)

    assert await second == 4
    await batcher.aclose()


async def test_a_queue_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it requests are turned away at once."""
    monkeypatch.setattr(batching, "LONGEST_QUEUE", 2)
    worker = Worker()
    batcher = Batcher(worker, name="test")
    first = await queued(batcher, [1])
    await worker.begun()
    waiting = await queued(batcher, [2, 3])

    with pytest.raises(QueueFullError):
        await batcher.submit(4)

    worker.allow(2)
    assert await asyncio.gather(*first, *waiting) == [2, 4, 6]
    await batcher.aclose()


async def test_closing_lets_the_batch_end_and_drops_the_rest() -> None:
    """Callers in the queue are told; those of the batch under way get their results."""
    worker = Worker()
    batcher = Batcher(worker, name="test")
    (first,) = await queued(batcher, [1])
    await worker.begun()
    (waiting,) = await queued(batcher, [2])

    closing = asyncio.create_task(batcher.aclose())
    await asyncio.sleep(0)
    worker.allow()

    await closing
    assert await first == 2
    with pytest.raises(RuntimeError, match="closed"):
        await waiting


async def test_after_closing_nothing_is_taken() -> None:
    """A late caller gets an error, not a hang."""
    batcher: Batcher[int, int] = Batcher(list, name="test")
    await batcher.aclose()

    with pytest.raises(RuntimeError):
        await batcher.submit(1)
