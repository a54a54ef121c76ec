"""Sends requests to one address, at a pace of its own, and keeps what became of each."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from chimera_bench.load import http1
from chimera_bench.load.answers import ENGINE
from chimera_bench.load.cases import Closed, Mode
from chimera_operator.rendering.envoy import LOOPBACK

GOOD = 200
BROKEN = 0  # in place of a status: the connection ended before the answer did
SEED = 7  # of arrivals: the same ones for every picker
DRAIN = 20.0  # seconds after the last arrival until answers that have not come count as broken

clock = time.perf_counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One request as its client saw it; times are seconds on `clock`.

    Attributes:
        due: When it was to be sent.
        first: When the first byte of the answer's body came; None where none did.
        ended: When the answer was complete, or broke off.
        status: Of the answer; `BROKEN` where it never became complete.
        engine: Port of the engine that answered; empty where none did.
    """

    due: float
    first: float | None
    ended: float
    status: int
    engine: str

    @property
    def good(self) -> bool:
        """Whether an engine has answered."""
        return self.status == GOOD

    @property
    def seconds(self) -> float:
        """From when it was to be sent until it was over."""
        return self.ended - self.due


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._message = http1.Message()
        self._over: asyncio.Future[int] | None = None
        self._first: float | None = None

    @property
    def answering(self) -> bool:
        """Whether an answer has begun that has not ended."""
        return self._first is not None and self._over is not None and not self._over.done()

    @property
    def open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def header(self, name: str) -> str:
        """Return a header of the last answer; empty where it is missing."""
        return self._message.header(name)

    def write(self, data: bytes) -> None:
        """Send a part of something that is never asked for whole."""
        if self._transport is not None:
            self._transport.write(data)

    async def ask(self, request: bytes, due: float) -> Sample:
        """Send a request that was to be sent at a moment; return what became of it."""
        self._message, self._first = http1.Message(), None
        self._over = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self._end(BROKEN)
        else:
            self._transport.write(request)
        status = await self._over
        return Sample(due=due, first=self._first, ended=clock(), status=status, engine=self.header(ENGINE))

    def close(self) -> None:
        """Break off."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)  # what a stream is made of

    def data_received(self, data: bytes) -> None:
        """Take more of the answer."""
        message = self._message
        complete = message.feed(data)
        if self._first is None and message.size:
            self._first = clock()
        if complete:
            if message.header("connection") == "close":
                self.close()
            self._end(message.status if message.status != GOOD or message.intact else BROKEN)

    def connection_lost(self, _error: Exception | None) -> None:
        """A request that is under way gets no answer."""
        self._transport = None
        self._end(BROKEN)

    def _end(self, status: int) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(status)


async def connect(port: int) -> Connection:
    """Return a connection to a port of this machine.

    Raises:
        OSError: Nobody listens there.
    """
    _, connection = await asyncio.get_running_loop().create_connection(Connection, LOOPBACK, port)
    return connection


class Load:
    """Requests to one port of this machine.

    Args:
        port: Of the gateway.
        prompts: Returns the next request.

    Attributes:
        samples: What became of those that are over, in that order.
    """

    def __init__(self, port: int, prompts: Callable[[], bytes]) -> None:
        self._port = port
        self._prompts = prompts
        self._free: list[Connection] = []
        self._all: set[Connection] = set()
        self._asking: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self.samples: list[Sample] = []

    @property
    def answering(self) -> int:
        """How many answers are under way."""
        return sum(connection.answering for connection in self._all)

    async def run(self, mode: Mode, seconds: float) -> list[Sample]:
        """Send for so many seconds, or until `stop`; wait for the answers, return the samples."""
        if isinstance(mode, Closed):
            end = clock() + seconds
            for _ in range(mode.connections):
                self._spawn(self._ask_until(end))
            await asyncio.sleep(seconds)
        else:
            await self._arrive(mode.rate, seconds)
        await self.drain()
        return self.samples

    async def once(self, due: float) -> Sample:
        """Send one request; return what became of it when it is over."""
        connection = await self._connection()
        if connection is None:
            sample = Sample(due=due, first=None, ended=clock(), status=BROKEN, engine="")
        else:
            sample = await connection.ask(self._prompts(), due)
            self._put_back(connection)
        self.samples.append(sample)
        return sample

    def stop(self) -> None:
        """Let no more requests arrive."""
        self._stopped = True

    def ask(self, due: float) -> None:
        """Send one request."""
        self._spawn(self.once(due))

    async def drain(self, seconds: float = DRAIN) -> None:
        """Wait for all answers, but not for ever; then close the connections."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=seconds)
        for connection in tuple(self._all):
            connection.close()
        if self._asking:
            await asyncio.wait(self._asking)

    async def _arrive(self, rate: float, seconds: float) -> None:
        draw, due = random.Random(SEED), clock()  # noqa: S311 - arrivals, no secret
        end = due + seconds
        while (due := due + draw.expovariate(rate)) < end and not self._stopped:
            await asyncio.sleep(max(0.0, due - clock()))
            self.ask(due)

    async def _ask_until(self, end: float) -> None:
        while clock() < end:
            await self.once(clock())

    def _put_back(self, connection: Connection) -> None:
        if connection.open:
            self._free.append(connection)
        else:
            self._all.discard(connection)

    async def _connection(self) -> Connection | None:
        while self._free:
            if (free := self._free.pop()).open:
                return free
        try:
            made = await connect(self._port)
        except OSError:
            return None
        self._all.add(made)
        return made

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
