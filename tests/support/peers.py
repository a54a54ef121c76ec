"""The client's side of an HTTP/2 connection, in memory: frames in, frames out, no socket."""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import Headers, literal
from chimera_router.extproc.http2.streams import Stream
from chimera_router.extproc.http2.terms import Terms

FIELDS = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/service/Method"),
    (":authority", "picker"),
    ("content-type", "application/grpc"),
)
BLOCK = literal(FIELDS)
RESPONSE = literal(((":status", "200"),))
_PAIR = Struct("!II")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, as it was written."""

    kind: int
    flags: int
    stream: int
    payload: bytes = b""

    @property
    def code(self) -> Code:
        """Return why it ends something: of a GOAWAY, or a RST_STREAM."""
        return Code(int.from_bytes(self.payload[-4:], "big"))

    @property
    def ends(self) -> bool:
        """Return whether it is the last of its stream's response."""
        return self.kind in {Kind.DATA, Kind.HEADERS} and bool(self.flags & frames.END_STREAM)


def parsed(data: bytes) -> Iterator[Frame]:
    """Yield the frames in what was written; it must hold whole ones."""
    place = 0
    while place < len(data):
        head, flags, stream = frames.HEAD.unpack_from(data, place)
        place += frames.HEADER_SIZE + (head >> 8)
        assert place <= len(data)
        yield Frame(head & 0xFF, flags, stream, data[place - (head >> 8) : place])


class Served:
    """One request, as a server sees it, and what is to be said about it."""

    def __init__(self, connection: Connection, stream: Stream, headers: Headers) -> None:
        self.connection, self.stream, self.headers = connection, stream, headers
        self.received = bytearray()
        self.ended = self.over = False
        self.done = True

    def data(self, data: bytes) -> bool:
        assert not self.ended
        assert not self.over
        self.received += data
        return self.done

    def end(self) -> None:
        assert not self.ended
        assert not self.over
        self.ended = True

    def reset(self) -> None:
        assert not self.over
        self.over = True

    def respond(self, *pieces: bytes) -> None:
        """Answer, whole."""
        self.connection.respond(self.stream, RESPONSE)
        for piece in pieces:
            self.connection.send(self.stream, piece)
        self.connection.end(self.stream)


class Peer:
    """A client, connected.

    Attributes:
        connection: Of the server, under test.
        served: Requests that reached it, by stream.
        now: Seconds on the clock that the server is told.
    """

    def __init__(self, terms: Terms | None = None, *, greet: bool = True) -> None:
        self.served: dict[int, Served] = {}
        self.now = 0.0
        self.connection = Connection(terms or Terms(), self._open)
        if greet:
            self.send(frames.PREFACE + frames.settings(()))

    def _open(self, connection: Connection, stream: Stream, headers: Headers) -> Served:
        made = self.served[stream.number] = Served(connection, stream, headers)
        return made

    def send(self, *written: bytes) -> list[Frame]:
        """Send bytes and return what comes back."""
        self.connection.receive(b"".join(written), self.now)
        return self.read()

    def read(self) -> list[Frame]:
        """Return what the server has to say."""
        return list(parsed(self.connection.output()))

    def open(self, stream: int = 1, *, end: bool = False, block: bytes = BLOCK) -> Served:
        """Open a stream, and return the request as the server sees it."""
        self.send(headers(stream, block, end=end))
        return self.served[stream]


def headers(stream: int, block: bytes = BLOCK, *, end: bool = False) -> bytes:
    """Return the frame that opens a stream."""
    return frames.frame(Kind.HEADERS, frames.END_HEADERS | (frames.END_STREAM if end else 0), stream, block)


def data(stream: int, payload: bytes = b"", *, end: bool = False) -> bytes:
    """Return a frame of data."""
    return frames.frame(Kind.DATA, frames.END_STREAM if end else 0, stream, payload)


def settings(**values: int) -> bytes:
    """Return a frame of settings, named as the RFC does, in lower case."""
    return frames.settings([(Setting[name.upper()], value) for name, value in values.items()])


def ping(payload: bytes = b"12345678", flags: int = 0) -> bytes:
    """Return a ping, or the answer to one."""
    return frames.frame(Kind.PING, flags, 0, payload)


def goaway(frame: Frame) -> tuple[int, Code]:
    """Return the last stream and the reason of a GOAWAY frame."""
    assert frame.kind == Kind.GOAWAY
    last, code = _PAIR.unpack(frame.payload)
    return last, Code(code)


def only(answers: list[Frame], kind: Kind) -> list[Frame]:
    """Return the frames of a kind."""
    return [frame for frame in answers if frame.kind == kind]
