"""Micro-batches: requests that arrive while one batch runs form the next.

No request waits for others to come, and a batch grows only as large as traffic makes it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items of one batch. The cost grows almost linearly from here on, so a larger one would only delay its first items.
LARGEST_BATCH = 16

# Items that may wait for their turn: some seconds of work. More would all pass their deadline before they are reached.
LONGEST_QUEUE = 1024


class QueueFullError(Exception):
    """Too many items wait already."""


class Batcher(Generic[Item, Result]):
    """Runs a function over batches of items, in one thread of its own, off the event loop.

    Args:
        work: Takes items, returns as many results in the same order.
        name: Of the thread.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, name: str) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._turns: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the result for one item; cancelling the caller takes it out of the queue.

        Raises:
            QueueFullError: Too many items wait already.
            RuntimeError: The batcher was closed.
            Exception: Whatever `work` raised for the batch.
        """
        if len(self._waiting) >= LONGEST_QUEUE:
            raise QueueFullError
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._turns is None:
            self._turns = asyncio.create_task(self._take_turns())
        return await future

    async def aclose(self) -> None:
        """Let the batch under way end, and drop the rest: their callers get a RuntimeError."""
        waiting, self._waiting = self._waiting, deque()
        _fail([future for _, future in waiting], RuntimeError("the batcher was closed"))
        if self._turns is not None:
            await self._turns
        self._thread.shutdown(wait=False)

    async def _take_turns(self) -> None:
        while batch := self._next_batch():
            await self._run(batch)
        self._turns = None

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < LARGEST_BATCH:
            item, future = self._waiting.popleft()
            if not future.done():  # its caller may have left
                batch.append((item, future))
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        futures = [future for _, future in batch]
        items = [item for item, _ in batch]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, items)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers
            _fail(futures, error)
            return
        for future, result in zip(futures, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(futures: Sequence[asyncio.Future[Result]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
