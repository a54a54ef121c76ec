"""Real time: the step model behind an asyncio clock.

The engine is woken when its batch changes, not for every step. A stream asks for its tokens at intervals of its own
that grow with the number of streams, so that what is written in a second has a bound (`STREAM_WRITES_PER_SECOND`)
however fast the simulated steps are: several tokens share a chunk then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request

# Seconds between two chunks of one stream: 50 a second read as smooth, and a slower engine has no more to say.
SHORTEST_CHUNK = 0.02

# Chunks over all streams: a quarter of a core in this process, and as much again in each hop between it and the client.
STREAM_WRITES_PER_SECOND = 250.0


class Generation:
    """The tokens of one request as they come."""

    def __init__(self, request: Request, made: Callable[[], int], interval: Callable[[], float]) -> None:
        self.request = request
        self._made = made
        self._interval = interval
        self._began = asyncio.Event()
        self._ended = asyncio.Event()

    def observe(self, kind: EventKind) -> None:
        """Learn what happened to the request inside the engine."""
        if kind is EventKind.FIRST_TOKEN:
            self._began.set()
        if kind is EventKind.FINISHED:
            self._began.set()
            self._ended.set()

    async def end(self) -> None:
        """Wait for the last token."""
        await self._ended.wait()

    async def progress(self) -> AsyncIterator[int]:
        """Yield how many tokens there are each time there are more, the whole number last."""
        await self._began.wait()
        told = 0
        while not self._ended.is_set():
            made = self._made()
            if made > told:
                told = made
                yield told
            await self._pause()
        if told < self.request.output_tokens:
            yield self.request.output_tokens

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval()):
                await self._ended.wait()
        except TimeoutError:
            return


class RealTime:
    """An engine on the clock of the running event loop.

    Args:
        engine: Nobody else may drive it.
        on_event: Called with each event, soon after its moment.
    """

    def __init__(self, engine: Engine, on_event: Callable[[Event], None]) -> None:
        self._engine = engine
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._generations: dict[str, Generation] = {}
        self._wake: asyncio.TimerHandle | None = None

    @property
    def engine(self) -> Engine:
        """The engine, run up to now."""
        self._advance()
        return self._engine

    def now(self) -> float:
        """Return the time on the engine's clock, in seconds."""
        return self._loop.time()

    @contextmanager
    def generate(self, request: Request) -> Iterator[Generation]:
        """Run a request for as long as the block lasts: leaving it early cancels the request.

        Raises:
            DoesNotFit: The engine's KV cache could not hold it.
        """
        generation = Generation(request, lambda: self._made(request.id), self._interval)
        self._generations[request.id] = generation
        try:
            self._engine.submit(request, self._advance())
            self._advance()
            yield generation
        finally:
            del self._generations[request.id]
            self._engine.cancel(request.id, self._advance())
            self._advance()

    def _made(self, request_id: str) -> int:
        return self._engine.generated(request_id, self.now())

    def _interval(self) -> float:
        return max(SHORTEST_CHUNK, len(self._generations) / STREAM_WRITES_PER_SECOND)

    def _advance(self) -> float:
        """Run what is due, set the alarm for what comes next, and return the moment up to which the engine has run."""
        now = self.now()
        for event in self._engine.advance(now):
            self._on_event(event)
            if (generation := self._generations.get(event.request.id)) is not None:
                generation.observe(event.kind)
        if self._wake is not None:
            self._wake.cancel()
        next_event_at = self._engine.next_event_at
        self._wake = None if next_event_at is None else self._loop.call_at(next_event_at, self._advance)
        return now
