"""A Kubernetes API server that answers from a script, in virtual time."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from chimera_router.datalayer.watcher import Watcher
from chimera_router.errors import ApiFailure, ApiServerError

Line = bytes | ApiServerError | asyncio.Event | float
"""What a watch does next: say something, break, wait until something happens or for so many seconds."""
Answer = bytes | Sequence[Line] | ApiServerError


class VirtualTime:
    """Seconds that pass when a test says so; sleepers wake in their order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.pause(seconds)

    async def pause(self, seconds: float) -> None:
        """Sleep, and do not tell."""
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), wakes))
        await wakes

    async def passes(self, seconds: float) -> None:
        """Let so many seconds pass, and what they bring about happen."""
        end = self.now + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, wakes = heapq.heappop(self._sleepers)
            if not wakes.done():
                wakes.set_result(None)
            await settled()
        self.now = end


async def settled() -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(50):
        await asyncio.sleep(0)


class ScriptedApi:
    """Answers each list and each watch of a resource by the next line of its script; then it is silent.

    Attributes:
        calls: What was asked: `list` or `watch`, the plural, the query.
        over: Set, by the plural, when a script has been played.
        time: By which watches last.
    """

    def __init__(self, time: VirtualTime, **scripts: Sequence[Answer]) -> None:
        self.calls: list[tuple[str, str, Mapping[str, str]]] = []
        self.over = {plural: asyncio.Event() for plural in scripts}
        self.time = time
        self._scripts = {plural: list(answers) for plural, answers in scripts.items()}

    async def check_credentials(self) -> None:
        """Need none."""

    async def list(self, path: str, query: Mapping[str, str]) -> bytes:
        answer = await self._next("list", path, query)
        assert isinstance(answer, bytes), "the script has no list here"
        return answer

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncIterator[AsyncIterator[bytes]]:
        answer = await self._next("watch", path, {**query, "seconds": str(seconds)})
        assert not isinstance(answer, bytes | ApiServerError), "the script has no watch here"
        yield self._lines(answer)

    async def _lines(self, script: Sequence[Line]) -> AsyncIterator[bytes]:
        for line in script:
            match line:
                case ApiServerError():
                    raise line
                case bytes():
                    yield line
                case asyncio.Event():
                    await line.wait()
                case seconds:
                    await self.time.pause(seconds)

    async def _next(self, verb: str, path: str, query: Mapping[str, str]) -> Answer:
        plural = path.rpartition("/")[2]
        self.calls.append((verb, plural, query))
        script = self._scripts[plural]
        if not script:
            self.over[plural].set()
            await asyncio.Event().wait()
        answer = script.pop(0)
        if isinstance(answer, ApiServerError):
            raise answer
        return answer


class Failures:
    """Remembers what a watcher's observer is told."""

    def __init__(self) -> None:
        self.relists: list[str] = []
        self.failures: list[ApiFailure] = []

    def relisted(self, resource: str) -> None:
        self.relists.append(resource)

    def failed(self, _resource: str, failure: ApiFailure) -> None:
        self.failures.append(failure)


def watcher(api: ScriptedApi, failures: Failures) -> Watcher:
    """Return a watcher of a scripted server, in its time and with no chance in it."""
    return Watcher(api=api, observer=failures, clock=api.time.clock, sleep=api.time.sleep, chance=lambda: 1.0)
