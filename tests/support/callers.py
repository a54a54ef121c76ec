"""A gRPC client in memory: calls in, messages and statuses out, no socket; deadlines on a clock that tests turn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hpack import Decoder
from peers import data, headers, parsed

from chimera_router.extproc.calls import Calls
from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.header_blocks import literal
from chimera_router.extproc.http2.terms import Terms
from chimera_router.extproc.rpc import LARGEST_MESSAGE, Allowance, Rpc, Status

PATH = "/service/Method"


@dataclass(slots=True)
class Timer:
    """Something that will happen."""

    due: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Timers:
    """Calls back as its clock is turned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.set: list[Timer] = []

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self.now + seconds, call)
        self.set.append(timer)
        return timer

    def turn(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.set if timer.due <= self.now]:
            self.set.remove(timer)
            if not timer.cancelled:
                timer.call()


@dataclass(slots=True)
class FakeService:
    """Serves one call: remembers what it was told.

    Attributes:
        patient: Whether it takes messages one after the other at once.
    """

    rpc: Rpc
    patient: bool = True
    messages: list[bytes] = field(default_factory=list)
    ended: int = 0
    over: int = 0

    def message(self, data: bytes) -> bool:
        assert not self.rpc.closed
        assert not self.ended + self.over
        self.messages.append(data)
        return self.patient

    def end(self) -> None:
        self.ended += 1

    def reset(self) -> None:
        self.over += 1


@dataclass(slots=True)
class Answer:
    """What a client got for one call.

    Attributes:
        path: Of the call.
        status: How it ended; None while it has not.
        http: Of the response's headers.
        stopped: Why the server ended the stream, where it did.
    """

    path: str = ""
    messages: list[bytes] = field(default_factory=list)
    status: int | None = None
    http: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    stopped: Code | None = None
    complete: bool = False
    left: bytes = b""


class Link(Protocol):
    """What a client talks to."""

    def receive(self, data: bytes) -> None:
        """Take what the client sent."""

    def output(self) -> bytes:
        """Return what there is for it to read."""


class Caller:
    """A client, connected.

    Attributes:
        answers: What came back, by stream.
        room: Bytes of messages that the server takes, of all calls together.
    """

    def __init__(self, link: Link, *, window: int = 1 << 30) -> None:
        self.answers: dict[int, Answer] = {}
        self.room = frames.DEFAULT_WINDOW
        self._link = link
        self._decoder = Decoder()
        self._number = -1
        room = [(frames.Setting.INITIAL_WINDOW_SIZE, window)]
        self.send(frames.PREFACE + frames.settings(room) + frames.window_update(0, 1 << 30))

    def open(self, path: str = PATH, **fields: str) -> int:
        """Open a call and return the number of its stream."""
        self._number += 2
        named = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            "content-type": "application/grpc",
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        self.answers[self._number] = Answer(path)
        self.send(headers(self._number, literal(named.items())))
        return self._number

    def say(self, number: int, *messages: bytes, end: bool = False) -> None:
        """Send messages of a call."""
        sent = b"".join(map(framed, messages))
        self.room -= len(sent)
        cut = range(0, max(1, len(sent)), frames.DEFAULT_FRAME)
        pieces = [
            data(number, sent[place : place + frames.DEFAULT_FRAME], end=end and place == cut[-1]) for place in cut
        ]
        self.send(b"".join(pieces))

    def cancel(self, number: int) -> None:
        """Give a call up."""
        self.send(frames.rst_stream(number, Code.CANCEL))

    def send(self, written: bytes) -> None:
        """Send bytes, and take in what comes back."""
        self._link.receive(written)
        self.read()

    def read(self) -> None:
        """Take in what the server has to say."""
        for frame in parsed(self._link.output()):
            answer = self.answers.get(frame.stream, Answer())
            if frame.kind == Kind.DATA:
                answer.left += frame.payload
                _cut(answer)
            elif frame.kind == Kind.HEADERS:
                fields = self._decoder.decode(frame.payload, raw=True)
                answer.fields |= {str(name, "ascii"): str(value, "ascii") for name, value in fields}
                answer.http = answer.fields[":status"]
                answer.status = int(answer.fields["grpc-status"]) if "grpc-status" in answer.fields else None
            elif frame.kind == Kind.WINDOW_UPDATE and frame.stream == 0:
                self.room += frames.word(frame.payload)
            elif frame.kind == Kind.RST_STREAM:
                answer.stopped = frame.code
            answer.complete |= frame.ends


def framed(message: bytes) -> bytes:
    """Return a message as gRPC sends it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _cut(answer: Answer) -> None:
    while len(answer.left) >= 5 and not answer.http.startswith("4"):
        end = 5 + int.from_bytes(answer.left[1:5], "big")
        if len(answer.left) < end:
            return
        assert answer.left[0] == 0
        answer.messages.append(answer.left[5:end])
        answer.left = answer.left[end:]


class Fakes:
    """A client of fakes, with a connection between them and deadlines on a clock that tests turn.

    Attributes:
        made: The services, as calls made them.
        timers: That keep the deadlines.
        allowance: What all calls may take.
        connection: Between the client and the fakes.
        caller: The client.
    """

    def __init__(self, *, patient: bool = True) -> None:
        self.made: list[FakeService] = []
        self.timers = Timers()
        self.allowance = Allowance()
        self._patient = patient
        calls = Calls(
            services={PATH: self._open},
            flush=self._flush,
            later=self.timers.later,
            allowance=self.allowance,
        )
        self.connection = Connection(Terms(), calls.open)
        self.caller = Caller(self)

    def receive(self, data: bytes) -> None:
        self.connection.receive(data, self.timers.now)

    def output(self) -> bytes:
        return self.connection.output()

    def _flush(self) -> None:
        self.caller.read()

    def _open(self, rpc: Rpc) -> FakeService:
        self.made.append(FakeService(rpc, self._patient))
        return self.made[-1]


def reference(sent: bytes) -> tuple[list[bytes], int | None]:
    """Return the messages in bytes, and the status that a call gets for the rest of them at their end."""
    messages = []
    while len(sent) >= 5:
        size = int.from_bytes(sent[1:5], "big")
        if sent[0]:
            return messages, Status.UNIMPLEMENTED
        if size > LARGEST_MESSAGE:
            return messages, Status.RESOURCE_EXHAUSTED
        if len(sent) < 5 + size:
            break
        messages.append(sent[5 : 5 + size])
        sent = sent[5 + size :]
    return messages, Status.INTERNAL if sent else None
