"""One HTTP/2 connection of a server: requests in, responses out, and how it ends.

Strict where the RFC says so: what a peer gets wrong ends the stream or the connection with the code it names. A peer
that costs more than it pays (streams that it resets at once, floods of settings, pings or empty frames) is told to calm
down.
"""

from collections.abc import Callable
from enum import Enum, auto

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.controls import Controls
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import LARGEST, BlockReader, Headers
from chimera_router.extproc.http2.header_frames import HeaderFrames
from chimera_router.extproc.http2.inflow import Inflow
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.reader import Order, Reader
from chimera_router.extproc.http2.streams import Handler, Stream, Streams
from chimera_router.extproc.http2.terms import Terms

Open = Callable[["Connection", Stream, Headers], Handler]
"""Returns who serves a new request."""

_LAST_CALL = b"lastcall"  # the ping whose answer says that the peer has heard


class _State(Enum):
    OPEN = auto()
    DRAINING = auto()  # the peer has been told to open no more streams
    DRAINED = auto()  # it has heard
    OVER = auto()


class Connection:
    """A connection, from the peer's first byte.

    Args:
        terms: What the peer may do.
        open_stream: Asked for each new request.
    """

    def __init__(self, terms: Terms, open_stream: Open) -> None:
        self._terms = terms
        self._open = open_stream
        self._state = _State.OPEN
        self._blocks = BlockReader()
        self._streams = Streams()
        self._out = Outbox(self._streams.settle)
        self._inflow = Inflow(terms, self._out)
        self._order = Order()
        self._controls = Controls(terms, self._streams, self._out, self._order, ponged=self._ponged)
        headers = HeaderFrames(self._order, self._block, self._controls.spend)
        takes = {Kind.DATA: self._data, **headers.takes(), **self._controls.takes()}
        self._reader = Reader(takes, unknown=self._controls.unknown, failed=self._failed, order=self._order)
        self._out.add(self._greeting())

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def held(self) -> int:
        """Bytes of responses that wait for the peer's windows."""
        return self._out.held

    @property
    def greeted(self) -> bool:
        """Whether the peer has said what it takes, with which everything begins."""
        return self._order.only is None or self._streams.last > 0

    @property
    def told(self) -> bool:
        """Whether the peer knows that it shall open no more streams, or is gone."""
        return self._state in {_State.DRAINED, _State.OVER}

    @property
    def closed(self) -> bool:
        """Whether the connection has ended: write what there is and close the socket."""
        return self._state is _State.OVER or (self._state is _State.DRAINED and not self._streams)

    def receive(self, data: bytes, now: float) -> None:
        """Take what the peer sent.

        Args:
            data: Bytes in the order they came, cut anywhere.
            now: Seconds on any clock that only grows.
        """
        if self.closed:
            return
        self._controls.now = now
        try:
            self._reader.read(data)
        except ConnectionFault as fault:
            self.fail(fault.code)

    def output(self) -> bytes:
        """Return what there is to write, and forget it."""
        self._inflow.reopen()
        data = self._out.take()
        self._controls.earn(len(data))
        return data

    def drain(self) -> None:
        """Ask the peer to open no more streams here. Those that it opens before it has heard are served."""
        if self._state is _State.OPEN:
            self._state = _State.DRAINING
            self._out.add(frames.goaway(frames.STREAM_MASK, Code.NO_ERROR))
            self._out.add(frames.frame(Kind.PING, 0, 0, _LAST_CALL))

    def fail(self, code: Code) -> None:
        """End the connection and every stream of it; without an error, in good order."""
        if self._state is not _State.OVER:
            self._out.add(frames.goaway(self._streams.last, code))
            self.lost()

    def lost(self) -> None:
        """The peer is gone."""
        self._state = _State.OVER
        for stream in self._streams.clear():
            self._out.forget(stream)
            stream.handler.reset()

    def respond(self, stream: Stream, block: bytes, *, end: bool = False) -> None:
        """Send headers, and with `end` nothing after them."""
        flags = frames.END_HEADERS | (frames.END_STREAM if end else 0)
        self._out.enqueue(stream, frames.frame(Kind.HEADERS, flags, stream.number, block))
        if end:
            self._ended_here(stream)

    def send(self, stream: Stream, data: bytes) -> None:
        """Send data, as fast as the peer's windows allow."""
        self._out.data(stream, data)

    def end(self, stream: Stream) -> None:
        """End a response after all its data, without trailers."""
        self._out.enqueue(stream, frames.frame(Kind.DATA, frames.END_STREAM, stream.number))
        self._ended_here(stream)

    def release(self, stream: Stream) -> None:
        """Take more data of a stream, once what came is done with."""
        if self._streams.get(stream.number) is stream:
            self._inflow.reopen_stream(stream)

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        size = len(payload)
        self._inflow.arrived(size)
        stream = self._streams.get(number)
        if stream is None:
            self._streams.data_after(number)
            return
        if stream.ended_there:
            raise StreamFault(number, Code.STREAM_CLOSED)
        self._inflow.arrived_on(stream, size)
        data = frames.unpadded(payload) if flags & frames.PADDED else payload
        last = flags & frames.END_STREAM
        if not data and not last:
            self._controls.spend()
        stream.take(data)
        if last:
            stream.complete()
        if stream.handler.data(data):
            self._inflow.reopen_stream(stream)
        if last:
            stream.handler.end()

    def _block(self, number: int, flags: int, block: bytes) -> None:
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
        stream.complete()
        stream.handler.end()

    def _request(self, number: int, flags: int, block: bytes) -> None:
        self._streams.last = number
        headers = self._blocks.request(number, block)
        if len(self._streams) >= self._terms.streams or self._state is _State.DRAINED:
            raise StreamFault(number, Code.REFUSED_STREAM)
        stream = Stream(number, window=self._terms.stream_window, room=self._out.initial_window, headers=headers)
        if flags & frames.END_STREAM:
            stream.complete()
        self._streams.add(stream)
        stream.handler = self._open(self, stream, headers)
        if flags & frames.END_STREAM:
            stream.handler.end()

    def _ended_here(self, stream: Stream) -> None:
        """End a stream after its response. What the peer would still say nobody hears, and it is told so."""
        stream.ended_here = True
        if not stream.ended_there:
            self._out.enqueue(stream, frames.rst_stream(stream.number, Code.NO_ERROR))
        self._streams.settle(stream)

    def _failed(self, fault: StreamFault) -> None:
        """End a stream for what the peer got wrong. That its streams are too many it may not have known."""
        if fault.code is not Code.REFUSED_STREAM:
            self._controls.spend()
        self._out.add(frames.rst_stream(fault.stream, fault.code))
        stream = self._streams.get(fault.stream)
        if stream is None:
            self._streams.remember(fault.stream, by_peer=False)
            return
        self._streams.drop(stream, by_peer=False)
        self._out.forget(stream)
        stream.handler.reset()

    def _ponged(self, payload: bytes) -> None:
        if payload == _LAST_CALL and self._state is _State.DRAINING:
            self._state = _State.DRAINED
            self._out.add(frames.goaway(self._streams.last, Code.NO_ERROR))

    def _greeting(self) -> bytes:
        terms = self._terms
        told = (
            (Setting.MAX_CONCURRENT_STREAMS, terms.streams),
            (Setting.INITIAL_WINDOW_SIZE, terms.stream_window),
            (Setting.MAX_HEADER_LIST_SIZE, LARGEST),
        )
        wider = terms.connection_window - frames.DEFAULT_WINDOW
        return frames.settings(told) + frames.window_update(0, wider)
