"""One HTTP/2 connection of a server: frames in their order, flow control both ways, limits.

Strict where the RFC says so: what a peer gets wrong ends the stream or the connection with the code it names. A peer
that costs more than it pays (streams that it resets at once, floods of settings, pings or empty frames) is told to calm
down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.budget import Budget
from chimera_router.extproc.http2.controls import Controls, check_dependency
from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Code, Kind, Setting, Take
from chimera_router.extproc.http2.header_blocks import LARGEST, BlockReader, Headers
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.streams import Stream, Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a peer may do on one connection.

    Attributes:
        streams: Open at once; a gateway with one connection sends all of its requests there.
        stream_window: Bytes of one stream that may be on their way: four of the largest messages that gateways send.
        connection_window: Bytes of all streams together.
        resets: Streams that the peer ended before they said anything, in a burst; a tenth of it comes back a second.
        controls: The same of settings, pings, priorities and empty frames; clients ping with every burst of data.
    """

    streams: int = 10_000
    stream_window: int = 256 * 1024
    connection_window: int = 16 * 1024 * 1024
    resets: int = 2_000
    controls: int = 2_000


class Handler(Protocol):
    """Who serves a stream."""

    def data(self, data: bytes) -> bool:
        """Take bytes of the request; return whether they are done with, else `Connection.release` has to say so."""

    def end(self) -> None:
        """The request is complete."""

    def reset(self) -> None:
        """The stream is over, whatever it was in the middle of."""


Open = Callable[["Connection", Stream, Headers], Handler]
"""Returns who serves a new request."""


class Connection:
    """A connection, from the peer's first byte.

    Args:
        terms: What the peer may do.
        open_stream: Asked for each new request.

    Attributes:
        out: What is to be written.
        closed: Whether the connection has ended: write what `out` holds and close the socket.
    """

    def __init__(self, terms: Terms, open_stream: Open) -> None:
        self.closed = False
        self._terms = terms
        self._open = open_stream
        self._blocks = BlockReader()
        self._streams = Streams(terms.stream_window)
        self.out = Outbox(self._streams.settle)
        self._left = b""
        self._greeted = False
        self._block: tuple[int, int, list[bytes], int] | None = None
        self._window = terms.connection_window
        self._held = 0
        self._draining = False
        self._controls = Controls(
            self._streams,
            self.out,
            resets=Budget(terms.resets, terms.resets / 10),
            budget=Budget(terms.controls, terms.controls / 10),
        )
        self._takes: dict[int, Take] = {
            **self._controls.takes(),
            Kind.DATA: self._data,
            Kind.HEADERS: self._headers,
            Kind.CONTINUATION: self._continuation,
        }
        self.out.add(self._greeting())

    def __len__(self) -> int:
        return len(self._streams)

    def receive(self, data: bytes, now: float) -> None:
        """Take what the peer sent.

        Args:
            data: Bytes in the order they came, cut anywhere.
            now: Seconds on any clock that only grows.
        """
        self._controls.now = now
        if self._left:
            data = self._left + data
        try:
            self._left = data[self._take(data) :]
        except ConnectionFault as fault:
            self.fail(fault.code)

    def drain(self) -> None:
        """Tell the peer to open no more streams here; those that it had opened before it hears of it are served."""
        if not self._draining and not self.closed:
            self._draining = True
            self.out.add(frames.goaway(frames.STREAM_MASK, Code.NO_ERROR))

    def finish(self) -> None:
        """End the connection, as far as the peer is concerned, in good order."""
        self.fail(Code.NO_ERROR)

    def fail(self, code: Code) -> None:
        """End the connection and every stream of it."""
        if self.closed:
            return
        self.closed = True
        self.out.add(frames.goaway(self._streams.last, code))
        self.lost()

    def lost(self) -> None:
        """The peer is gone."""
        self.closed = True
        for stream in self._streams.clear():
            stream.handler.reset()

    def respond(self, stream: Stream, block: bytes, *, end: bool = False) -> None:
        """Send headers, and with `end` nothing after them."""
        flags = frames.END_HEADERS | (frames.END_STREAM if end else 0)
        self.out.enqueue(stream, frames.frame(Kind.HEADERS, flags, stream.number, block))
        if end:
            self._ended_here(stream)

    def send(self, stream: Stream, data: bytes) -> None:
        """Send data, as fast as the peer's windows allow."""
        self.out.data(stream, data)

    def end(self, stream: Stream) -> None:
        """End a response after all its data, without trailers."""
        self.out.enqueue(stream, frames.frame(Kind.DATA, frames.END_STREAM, stream.number))
        self._ended_here(stream)

    def trailers(self, stream: Stream, block: bytes) -> None:
        """Send trailers after all data, which end the response."""
        flags = frames.END_HEADERS | frames.END_STREAM
        self.out.enqueue(stream, frames.frame(Kind.HEADERS, flags, stream.number, block))
        self._ended_here(stream)

    def reset(self, stream: Stream, code: Code) -> None:
        """End a stream at once."""
        if self._streams.drop(stream, by_peer=False):
            self.out.forget(stream)
            self.out.add(frames.rst_stream(stream.number, code))

    def release(self, stream: Stream) -> None:
        """Give the peer back the room of what it sent on a stream, once there is enough of it."""
        if stream.taken >= self._terms.stream_window // 2 and self._streams.get(stream.number) is stream:
            self.out.add(frames.window_update(stream.number, stream.taken))
            stream.window += stream.taken
            stream.taken = 0

    # --- reading ---

    def _take(self, data: bytes) -> int:
        """Handle every whole frame; return how many bytes they took."""
        place = self._greet(data)
        if not self._greeted:
            return place
        unpack, size, takes = frames.HEAD.unpack_from, len(data), self._takes
        while size - place >= frames.HEADER_SIZE and not self.closed:
            head, flags, number = unpack(data, place)
            length, kind = head >> 8, head & 0xFF
            start = place + frames.HEADER_SIZE
            if length > frames.DEFAULT_FRAME:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            if size - start < length:
                break
            place = start + length
            number &= frames.STREAM_MASK
            if self._block is not None or not self._controls.settled:
                self._check_order(kind, number)
            take = takes.get(kind)
            if take is not None:  # kinds that nobody knows are passed over
                try:
                    take(flags, number, data[start:place])
                except StreamFault as fault:
                    self._fault(fault)
        return place

    def _fault(self, fault: StreamFault) -> None:
        self._controls.spend()
        stream = self._streams.get(fault.stream)
        if stream is None:
            self._streams.remember(fault.stream, by_peer=False)
            self.out.add(frames.rst_stream(fault.stream, fault.code))
            return
        self.reset(stream, fault.code)
        stream.handler.reset()

    def _greet(self, data: bytes) -> int:
        if self._greeted:
            return 0
        start = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(start):
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        self._greeted = len(start) == len(frames.PREFACE)
        return len(frames.PREFACE) if self._greeted else 0

    def _check_order(self, kind: int, number: int) -> None:
        """Nothing comes before the peer's settings, and nothing between the pieces of a header block."""
        if not self._controls.settled and kind != Kind.SETTINGS:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        block = self._block
        if block is not None and (kind != Kind.CONTINUATION or number != block[0]):
            raise ConnectionFault(Code.PROTOCOL_ERROR)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._arrived(size)
        stream = self._streams.get(number)
        if stream is None or stream.ended_there:
            self._streams.data_after(number)
            return
        stream.window -= size
        if stream.window < 0:
            raise StreamFault(number, Code.FLOW_CONTROL_ERROR)
        data = _unpadded(payload) if flags & frames.PADDED else payload
        if not data and not flags & frames.END_STREAM:
            self._controls.spend()
        stream.take(data)
        stream.taken += size
        if stream.handler.data(data):
            self.release(stream)
        if flags & frames.END_STREAM:
            self._ended_there(stream)

    def _arrived(self, size: int) -> None:
        """Count bytes of data against the connection's window; they are read at once, so their room is given back."""
        self._window -= size
        if self._window < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
        self._held += size
        if self._held >= self._terms.connection_window // 2:
            self.out.add(frames.window_update(0, self._held))
            self._window += self._held
            self._held = 0

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if number % 2 == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        block = _unpadded(payload) if flags & frames.PADDED else payload
        if flags & frames.PRIORITISED:
            check_dependency(number, block)
            block = block[5:]
        if flags & frames.END_HEADERS:
            self._whole_block(number, flags, block)
        else:
            self._block = (number, flags, [block], len(block))

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._block is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        _, first, pieces, size = self._block
        if not payload:
            self._controls.spend()
        pieces.append(payload)
        size += len(payload)
        if size > LARGEST:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        self._block = (number, first, pieces, size)
        if flags & frames.END_HEADERS:
            self._block = None
            self._whole_block(number, first, b"".join(pieces))

    def _whole_block(self, number: int, flags: int, block: bytes) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            self._trailers(stream, flags, block)
        elif number <= self._streams.last:
            self._blocks.skip(block)
            self._streams.headers_after(number)
        else:
            self._request(number, flags, block)

    def _trailers(self, stream: Stream, flags: int, block: bytes) -> None:
        self._blocks.trailers(stream.number, block)
        if stream.ended_there:
            raise StreamFault(stream.number, Code.STREAM_CLOSED)
        if not flags & frames.END_STREAM:
            raise StreamFault(stream.number, Code.PROTOCOL_ERROR)
        self._ended_there(stream)

    def _request(self, number: int, flags: int, block: bytes) -> None:
        self._streams.last = number
        headers = self._blocks.request(number, block)
        if len(self._streams) >= self._terms.streams:
            raise StreamFault(number, Code.REFUSED_STREAM)
        stream = self._streams.add(number, self.out.initial_window, headers)
        stream.handler = self._open(self, stream, headers)
        if flags & frames.END_STREAM:
            self._ended_there(stream)

    def _ended_there(self, stream: Stream) -> None:
        stream.complete()
        stream.ended_there = True
        stream.handler.end()
        self._streams.settle(stream)

    def _ended_here(self, stream: Stream) -> None:
        stream.ended_here = True
        self._streams.settle(stream)

    def _greeting(self) -> bytes:
        terms = self._terms
        told = (
            (Setting.MAX_CONCURRENT_STREAMS, terms.streams),
            (Setting.INITIAL_WINDOW_SIZE, terms.stream_window),
            (Setting.MAX_HEADER_LIST_SIZE, LARGEST),
        )
        wider = terms.connection_window - frames.DEFAULT_WINDOW
        return frames.settings(told) + frames.window_update(0, wider)


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR)
    return payload[1 : len(payload) - payload[0]]
