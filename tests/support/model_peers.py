"""A client that keeps every rule of HTTP/2 and holds the server to its own: windows, frame sizes, order, wholeness."""

from dataclasses import dataclass, field

from peers import Frame, Served, data, headers, parsed

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import Headers
from chimera_router.extproc.http2.streams import Stream
from chimera_router.extproc.http2.terms import Terms


@dataclass(slots=True)
class Request:
    """One stream, as the client sees it.

    Attributes:
        room: Bytes that the server takes.
        window: Bytes that the client takes.
        sent: What was sent of the request.
        ended: Whether the request is complete.
        answered: Whether the response has begun.
        received: What came of it.
        complete: Whether all of it came.
        over: Why the server ended the stream, where it did.
    """

    room: int
    window: int
    sent: bytearray = field(default_factory=bytearray)
    ended: bool = False
    answered: bool = False
    received: bytearray = field(default_factory=bytearray)
    complete: bool = False
    over: Code | None = None


class ModelPeer:
    """The client, and the connection that it talks to.

    Attributes:
        connection: Of the server, under test.
        served: What reached the server, by stream.
        requests: What the client knows of its streams.
        room: Bytes of all streams that the server takes.
        window: Bytes of all streams that the client takes.
        now: Seconds on the server's clock.
    """

    def __init__(self, terms: Terms) -> None:
        self.served: dict[int, Served] = {}
        self.requests: dict[int, Request] = {}
        self.room = self.window = frames.DEFAULT_WINDOW
        self.now = 0.0
        self._initial_room = self._initial_window = frames.DEFAULT_WINDOW
        self._frame_size = frames.DEFAULT_FRAME
        self._told: list[dict[Setting, int]] = [{}]
        self.connection = Connection(terms, self._open)
        self.write(frames.PREFACE, frames.settings(()))

    def _open(self, connection: Connection, stream: Stream, fields: Headers) -> Served:
        made = self.served[stream.number] = Served(connection, stream, fields)
        return made

    def write(self, *written: bytes) -> None:
        """Send bytes, and take in what comes back."""
        self.connection.receive(b"".join(written), self.now)
        self.read()

    def read(self) -> None:
        """Take in what the server says, and hold it to the rules."""
        for frame in parsed(self.connection.output()):
            self._take(frame)

    def open(self, number: int) -> Request:
        """Open a stream."""
        request = self.requests[number] = Request(self._initial_room, self._initial_window)
        self.write(headers(number))
        return request

    def upload(self, number: int, payload: bytes, *, end: bool) -> bytes:
        """Send what there is room for, in frames of 16 KiB; return the rest."""
        request, place = self.requests[number], 0
        while request.over is None:
            size = min(len(payload) - place, self.room, request.room, frames.DEFAULT_FRAME)
            if size <= 0:
                break
            piece = payload[place : place + size]
            place += size
            self.room -= size
            request.room -= size
            request.sent += piece
            request.ended = end and place == len(payload)
            self.write(data(number, piece, end=request.ended))
        return payload[place:]

    def set(self, **values: int) -> None:
        """Change settings; they hold once the server has acknowledged them."""
        named = {Setting[name.upper()]: value for name, value in values.items()}
        self._told.append(named)
        self.write(frames.settings(named.items()))

    def grant(self, number: int, size: int) -> None:
        """Take more of a stream, or of all of them."""
        if number:
            self.requests[number].window += size
        else:
            self.window += size
        self.write(frames.window_update(number, size))

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.DATA:
                self._data(frame)
            case Kind.HEADERS:
                request = self.requests[frame.stream]
                assert not request.answered
                request.answered = True
            case Kind.WINDOW_UPDATE:
                self._widened(frame.stream, frames.word(frame.payload))
            case Kind.SETTINGS if frame.flags & frames.ACK:
                self._acknowledged(self._told.pop(0))
            case Kind.SETTINGS:
                told = dict(frames.SETTING.iter_unpack(frame.payload))
                self._initial_room = told[Setting.INITIAL_WINDOW_SIZE]
            case Kind.RST_STREAM:
                self.requests[frame.stream].over = frame.code
            case kind:
                raise AssertionError(f"a frame of kind {kind}")

    def _data(self, frame: Frame) -> None:
        request, size = self.requests[frame.stream], len(frame.payload)
        self.window -= size
        request.window -= size
        assert request.answered
        assert not request.complete
        assert size <= self._frame_size
        assert size == 0 or (self.window >= 0 and request.window >= 0)
        request.received += frame.payload
        request.complete = frame.ends

    def _widened(self, number: int, size: int) -> None:
        assert size > 0
        if number:
            self.requests[number].room += size
        else:
            self.room += size

    def _acknowledged(self, values: dict[Setting, int]) -> None:
        self._frame_size = values.get(Setting.MAX_FRAME_SIZE, self._frame_size)
        change = values.get(Setting.INITIAL_WINDOW_SIZE, self._initial_window) - self._initial_window
        self._initial_window += change
        for request in self.requests.values():
            request.window += change
