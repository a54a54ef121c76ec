"""A client before the gateway, and what came of its requests."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from chimera_conformance import wire
from chimera_conformance.gateway import http1
from chimera_conformance.gateway.bootstrap import Listener
from chimera_conformance.gateway.engine import Arrival, Engines, Reply
from chimera_conformance.messages import chat
from chimera_conformance.target import LOOPBACK, Target
from chimera_conformance.verdicts import Violation, assume, require

_T = TypeVar("_T")

OK = 200
WHOLE = 2  # times the patience: an exchange through the gateway is several answers of the picker


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the client sends.

    Attributes:
        pieces: The body; None sends a request without one.
        pause: Seconds between the pieces.
        trailers: With any, the body is chunked.
    """

    pieces: Sequence[bytes] | None
    method: str = "POST"
    path: str = wire.CHAT
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0.0
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One exchange, seen from both ends.

    Attributes:
        status: Of the answer.
        headers: Of the answer.
        body: Of the answer.
        trailers: Of the answer.
        arrivals: The request as engines saw it; more than one where the gateway tried again.
    """

    status: int
    headers: http1.Headers
    body: bytes
    trailers: Mapping[str, str]
    arrivals: Sequence[Arrival]

    @property
    def arrival(self) -> Arrival:
        """The request at the engine that answered; the case has no subject where it reached none."""
        assume(self.arrivals, f"the request reached no engine; the client got {self.status}")
        return self.arrivals[-1]


class Gateway:
    """Envoy's listeners before the picker under test, and the engines behind.

    Attributes:
        target: What the kit was told.
        engines: Behind the gateway.
    """

    def __init__(self, target: Target, engines: Engines, ports: Mapping[Listener, int]) -> None:
        self.target = target
        self.engines = engines
        self._ports = ports
        self._calls = itertools.count(1)

    def chat(self, content: str = "Say hello.", **fields: object) -> Request:
        """Return a well-formed request."""
        return Request(pieces=(chat(self.target.model, content).with_json(**fields).body,))

    async def visit(self, listener: Listener, request: Request, reply: Reply | None = None) -> Visit:
        """Send a request, have an engine answer as told, and return what became of both.

        Raises:
            Violation: There was no whole answer in time.
        """
        async with self.opened(listener, request, reply or Reply()) as (answer, arrivals):
            body = await self.within(answer.read())
        return Visit(
            status=answer.status,
            headers=answer.headers,
            body=body,
            trailers=answer.trailers,
            arrivals=arrivals,
        )

    @asynccontextmanager
    async def opened(
        self, listener: Listener, request: Request, reply: Reply
    ) -> AsyncIterator[tuple[http1.Message, list[Arrival]]]:
        """Send a request and yield the answer as soon as its head is there; hang up in the end."""
        call = str(next(self._calls))
        self.engines.replies[call] = reply
        reader, writer = await asyncio.open_connection(LOOPBACK, self._ports[listener])
        try:
            answer, _ = await asyncio.gather(self.within(http1.read(reader)), _send(writer, request, call))
            yield answer, self.engines.arrivals[call]
        finally:
            writer.close()

    async def require_service(self, listener: Listener = Listener.STREAMED) -> None:
        """Raise Violation unless a well-formed request is still served."""
        visit = await self.visit(listener, self.chat())
        require(visit.status == OK, f"afterwards a well-formed request gets {visit.status}")

    async def serves(self, listener: Listener) -> bool:
        """Return whether a well-formed request is served."""
        return (await self.visit(listener, self.chat())).status == OK

    async def within(self, answer: Awaitable[_T]) -> _T:
        """Return what is awaited; raise Violation where it breaks or takes too long."""
        seconds = WHOLE * self.target.patience
        try:
            return await asyncio.wait_for(answer, seconds)
        except http1.Broken:
            raise Violation("the connection broke before the answer was complete") from None
        except TimeoutError:
            raise Violation(f"no complete answer in {seconds:g} s") from None


async def _send(writer: asyncio.StreamWriter, request: Request, call: str) -> None:
    """Send a request; where the gateway answers and hangs up before it is whole, the rest stays unsent."""
    headers = [("host", "pool.test"), (wire.CONTENT_TYPE, wire.JSON), (wire.CALL, call), *request.headers]
    start = f"{request.method} {request.path} HTTP/1.1"
    pieces = request.pieces
    try:
        if pieces is None:
            writer.write(http1.head(start, headers))
        elif len(pieces) == 1 and not request.trailers:
            writer.write(http1.head(start, [*headers, (wire.CONTENT_LENGTH, str(len(pieces[0])))]) + pieces[0])
        else:
            writer.write(http1.head(start, [*headers, ("transfer-encoding", "chunked")]))
            await _send_chunked(writer, request, pieces)
        await writer.drain()
    except OSError:
        return


async def _send_chunked(writer: asyncio.StreamWriter, request: Request, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        writer.write(http1.chunk(piece))
        await writer.drain()
        await asyncio.sleep(request.pause)
    writer.write(http1.last_chunk(request.trailers))


def asked(body: bytes) -> object:
    """Return the messages in a body; None where they cannot be read."""
    try:
        return json.loads(body)["messages"]
    except (ValueError, KeyError, TypeError):
        return None
