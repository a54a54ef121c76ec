"""Share workflows through a server without ever waiting long for it.

One task talks to the server: it sends what has changed and what is asked together, one exchange after the other. A
request waits for its look-up until a deadline and then goes on without it; while the server is away it does not wait
at all, and what changes meanwhile is told when the server is back.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from chimera_router.errors import ServerAway
from chimera_router.sharing.breaker import Breaker, State
from chimera_router.sharing.codec import Codec
from chimera_router.sharing.outbox import Outbox
from chimera_router.sharing.server import Answer, Question, Server
from chimera_router.telemetry.sharing import Outcome, SharingMetrics
from chimera_router.workflow.program import Program
from chimera_router.workflow.recall import Lookup, Sighting

# Changes of one exchange, and questions. Each takes some 50 us of the event loop, and the first waits for the last.
LARGEST_BATCH = 16

# Seconds that a picker gives itself at its end to tell what it has not told.
LAST_WORDS = 1.0

_TOO_LATE = "the deadline of a look-up"

_log = structlog.get_logger()

_Asked = tuple[Question, "asyncio.Future[Answer | None]"]


class RemoteWorkflows:
    """What all pickers of a pool know of its workflows, kept by a server that they all reach.

    Args:
        server: The server.
        codec: Puts workflows into its terms.
        deadline: Seconds that a request waits for a look-up.
        clock: Seconds on a monotonic clock.
        metrics: Where look-ups are counted.
    """

    def __init__(
        self, server: Server, codec: Codec, *, deadline: float, clock: Callable[[], float], metrics: SharingMetrics
    ) -> None:
        self._outbox = Outbox()
        self._telling = 0
        self._server = server
        self._codec = codec
        self._deadline = deadline
        self._clock = clock
        self._metrics = metrics
        self._breaker = Breaker()
        self._asked: deque[_Asked] = deque()
        self._work = asyncio.Event()

    @property
    def untold(self) -> int:
        """Workflows of which the others have yet to hear."""
        return len(self._outbox) + self._telling

    @property
    def dropped(self) -> int:
        """Workflows of which they will not hear: too many waited."""
        return self._outbox.dropped

    async def look_up(self, lookup: Lookup) -> tuple[Sighting, ...]:
        """Return what other pickers know; nothing past the deadline, and at once while the server is away."""
        began = self._clock()
        outcome, sightings = await self._looked_up(lookup)
        self._metrics.looked_up(outcome, self._clock() - began)
        return sightings

    def tell(self, program: Program, keys: Sequence[bytes]) -> None:
        """Let the others know what has become of a workflow, and which digests lead to it. Never waits."""
        self._outbox.add(program, keys)
        self._work.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Talk to the server meanwhile; at the end tell what has not been told, if the server takes it then."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await _ended(task)
            await self._last_words()
            await self._server.aclose()

    async def _run(self) -> None:
        while True:
            if self._breaker.state is State.CLOSED:
                await self._work.wait()
                await self._exchange()
            elif self._breaker.try_again(self._clock()):
                await self._try_again()
            else:
                await asyncio.sleep(max(0.0, self._breaker.retry_at - self._clock()))

    async def _last_words(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                while self._outbox and self._breaker.state is State.CLOSED:
                    await self._exchange()

    async def _looked_up(self, lookup: Lookup) -> tuple[Outcome, tuple[Sighting, ...]]:
        if self._breaker.state is not State.CLOSED:
            return Outcome.AWAY, ()
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._asked.append((self._codec.question(lookup), answered))
        self._work.set()
        try:
            async with asyncio.timeout(self._deadline):
                answer = await answered
        except TimeoutError:
            self._away(_TOO_LATE, begins=self._breaker.late(self._clock()))
            return Outcome.LATE, ()
        if answer is None:
            return Outcome.AWAY, ()
        sightings = self._codec.sightings(lookup, answer)
        return (Outcome.FOUND if sightings else Outcome.MISSED), sightings

    async def _try_again(self) -> None:
        """See whether the server answers in time, once there is a connection, which takes its own."""
        try:
            await self._server.exchange((), ())
            began = self._clock()
            await self._server.exchange((), ())
        except ServerAway as error:
            self._away(str(error), begins=self._breaker.lost(self._clock()))
        else:
            if self._clock() - began <= self._deadline:
                self._in_time()
            else:
                self._away(_TOO_LATE, begins=self._breaker.late(self._clock()))
            self._work.set()

    async def _exchange(self) -> None:
        """Send what has changed and what is asked, and wait for the answers."""
        taken, asked, began = self._outbox.take(LARGEST_BATCH), self._next_questions(), self._clock()
        self._work.clear()
        self._telling = len(taken)
        changes = [self._codec.change(program, keys) for program, keys in taken.items()]
        answers: Sequence[Answer] | None = None
        try:
            answers = await self._server.exchange(changes, [question for question, _ in asked])
            self._metrics.told.inc(len(changes))
            if self._clock() - began <= self._deadline:  # otherwise its look-ups were late, if it had any
                self._in_time()
        except ServerAway as error:
            self._away(str(error), begins=self._breaker.lost(self._clock()))
        finally:
            self._telling = 0
            if answers is None:
                self._outbox.put_back(taken)
            _give(asked, answers or [None] * len(asked))
        if self._outbox or self._asked:
            self._work.set()

    def _next_questions(self) -> list[_Asked]:
        """Return the questions that somebody still waits for, as many as one exchange takes."""
        asked: list[_Asked] = []
        while self._asked and len(asked) < LARGEST_BATCH:
            question, answered = self._asked.popleft()
            if not answered.done():
                asked.append((question, answered))
        return asked

    def _in_time(self) -> None:
        if self._breaker.answered():
            self._metrics.up.set(1)
            _log.info("workflows are shared with other pickers")

    def _away(self, rule: str, *, begins: bool) -> None:
        """Say so, once for each absence."""
        if begins:
            self._metrics.up.set(0)
            _log.warning("workflows are not shared, each picker remembers its own", rule=rule)


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it ends: before Python 3.12 `asyncio.wait_for`, in the client library, may lose one."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)
    if not task.cancelled():
        task.result()  # its fault is one of the whole process


def _give(asked: Sequence[_Asked], answers: Sequence[Answer | None]) -> None:
    for (_, answered), answer in zip(asked, answers, strict=True):
        if not answered.done():
            answered.set_result(answer)
