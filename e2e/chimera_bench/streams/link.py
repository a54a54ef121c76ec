"""A gateway's end of one HTTP/2 connection: exchanges that are opened, answered and given up, and no more than that."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self, cast

from hpack import Decoder

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import literal
from chimera_router.extproc.paths import PROCESS

_WIDEST = frames.LARGEST_WINDOW - frames.DEFAULT_WINDOW
_GREETING = (
    frames.PREFACE
    + frames.settings([(Setting.INITIAL_WINDOW_SIZE, frames.LARGEST_WINDOW)])
    + frames.window_update(0, _WIDEST)
)
_BLOCK = literal(
    (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PROCESS),
        (":authority", "picker"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    )
)


@dataclass(slots=True)
class Exchange:
    """One stream.

    Attributes:
        opened: Seconds on the clock when it was.
        answered: When the first bytes of an answer came; 0 before.
        received: Bytes of messages.
        status: Of gRPC, or -1 where the picker broke it off; None while it goes on.
        awaited: Whether somebody waits for an answer.
    """

    opened: float
    answered: float = 0.0
    received: int = 0
    status: int | None = None
    awaited: bool = False


@dataclass(slots=True)
class Link(asyncio.Protocol):
    """The connection. What is said leaves with `flush`: streams are opened at once, messages as the picker has room.

    Attributes:
        open: The exchanges that are going on, by stream.
        heard: Called with the stream whenever something was said on it.
        goodbye: Why the picker ended the connection, where it did.
    """

    open: dict[int, Exchange] = field(default_factory=dict)
    heard: Callable[[int, Exchange], None] = lambda _number, _exchange: None
    goodbye: Code | None = None
    _next: int = 1
    _room: int = frames.DEFAULT_WINDOW
    _ready: list[bytes] = field(default_factory=list)
    _waiting: deque[tuple[bytes, int]] = field(default_factory=deque)
    _left: bytes = b""
    _decoder: Decoder = field(default_factory=Decoder)
    _transport: asyncio.Transport | None = None

    @classmethod
    async def to(cls, port: int) -> Self:
        """Connect to a picker on this machine."""
        _, link = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return link

    @property
    def behind(self) -> bool:
        """Whether messages wait for room."""
        return bool(self._waiting)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the picker."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_GREETING)

    def begin(self, messages: Iterable[bytes]) -> int:
        """Open an exchange with its first messages; return its stream."""
        number, self._next = self._next, self._next + 2
        self.open[number] = Exchange(time.perf_counter())
        self._ready.append(frames.frame(Kind.HEADERS, frames.END_HEADERS, number, _BLOCK))
        self.say(number, messages)
        return number

    def say(self, number: int, messages: Iterable[bytes]) -> None:
        """Say more in an exchange; together the messages must fit in a frame."""
        sent = b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)
        self._waiting.append((frames.frame(Kind.DATA, 0, number, sent), len(sent)))

    def give_up(self, number: int) -> None:
        """End an exchange, after what was said in it."""
        self.open.pop(number, None)
        self._waiting.append((frames.rst_stream(number, Code.CANCEL), 0))

    def flush(self) -> None:
        """Send what there is, as far as the picker has room."""
        while self._waiting and self._waiting[0][1] <= self._room:
            frame, size = self._waiting.popleft()
            self._room -= size
            self._ready.append(frame)
        if self._ready and self._transport is not None:
            self._transport.write(b"".join(self._ready))
            self._ready.clear()

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the picker says."""
        data, place = self._left + data, 0
        while len(data) - place >= frames.HEADER_SIZE:
            head, flags, number = frames.HEAD.unpack_from(data, place)
            end = place + frames.HEADER_SIZE + (head >> 8)
            if end > len(data):
                break
            self._take(head & 0xFF, flags, number, data[place + frames.HEADER_SIZE : end])
            place = end
        self._left = data[place:]
        self.flush()

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        match kind:
            case Kind.SETTINGS if not flags & frames.ACK:
                self._ready.append(frames.frame(Kind.SETTINGS, frames.ACK, 0))
            case Kind.PING if not flags & frames.ACK:
                self._ready.append(frames.frame(Kind.PING, frames.ACK, 0, payload))
            case Kind.WINDOW_UPDATE if number == 0:
                self._room += frames.word(payload)
            case Kind.GOAWAY:
                self.goodbye = Code(int.from_bytes(payload[4:8], "big"))
            case Kind.HEADERS:
                block = self._decoder.decode(payload, raw=True)
                status = next((int(value) for name, value in block if name == b"grpc-status"), -1)
                self._hear(number, 0, status if flags & frames.END_STREAM else None)
            case Kind.DATA:
                self._hear(number, len(payload), None)
            case Kind.RST_STREAM:
                self._hear(number, 0, -1)

    def _hear(self, number: int, size: int, status: int | None) -> None:
        exchange = self.open.get(number)
        if exchange is None:
            return
        exchange.answered = exchange.answered or time.perf_counter()
        exchange.received += size
        exchange.status = status
        if status is not None:
            del self.open[number]
        self.heard(number, exchange)
