"""gRPC over HTTP/2, as its PROTOCOL-HTTP2.md lays it out: messages with their lengths, statuses in trailers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.header_blocks import literal
from chimera_router.extproc.http2.streams import Stream

CONTENT_TYPE = "application/grpc"
LARGEST_MESSAGE = 4 * 1024 * 1024  # bytes; gRPC's own default. Gateways send bodies in pieces far below

_PREFIX = 5  # bytes before a message: whether it is compressed, and its length
_RESPONSE = literal(((":status", "200"), ("content-type", CONTENT_TYPE)))


class Status(IntEnum):
    """How a call ended; the numbers are gRPC's."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


_TRAILERS = {
    status: literal((("grpc-status", str(status.value)), ("grpc-message", status.name.lower().replace("_", " "))))
    for status in Status
} | {Status.OK: literal((("grpc-status", "0"),))}


class Service(Protocol):
    """Who serves one call. It hears nothing more of a call that it has finished itself."""

    def message(self, data: bytes) -> bool:
        """Take a message; return whether the next may come at once, else `Rpc.resume` has to say so."""

    def end(self) -> None:
        """The client has said its last."""

    def reset(self) -> None:
        """The call is over, whatever it was in the middle of: cancelled, out of time, or its connection lost."""


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> object:
        """Let it not happen."""


@dataclass(slots=True)
class Allowance:
    """What all calls of a port may take together. One owner: the event loop.

    Attributes:
        most_calls: Open at once, on whatever connections; twice what one gateway may open.
        most_bytes: Of messages that are not whole yet, or may not be served yet. Gateways send messages in one go.
        calls: Open now.
        kept: Bytes of them now.
    """

    most_calls: int = 20_000
    most_bytes: int = 256 * 1024 * 1024
    calls: int = 0
    kept: int = 0


class Rpc:
    """One call, between its stream and who serves it.

    Args:
        connection: Where it came.
        stream: Of the call.
        flush: Writes what the connection has to say.
        allowance: Of all calls, of which this is one.

    Attributes:
        service: Who serves it; needed once there is data.
        timer: Ends the call at its deadline, if it has one.
        closed: Whether the call is over here.
    """

    __slots__ = (
        "_allowance",
        "_connection",
        "_ended",
        "_flush",
        "_kept",
        "_needed",
        "_paused",
        "_started",
        "_stream",
        "closed",
        "service",
        "timer",
    )

    service: Service

    def __init__(
        self, connection: Connection, stream: Stream, *, flush: Callable[[], None], allowance: Allowance
    ) -> None:
        self.closed = False
        self.timer: Timer | None = None
        self._connection = connection
        self._stream = stream
        self._flush = flush
        self._allowance = allowance
        allowance.calls += 1
        self._kept = bytearray()
        self._needed = 0
        self._started = self._paused = self._ended = False

    def send(self, messages: Iterable[bytes]) -> None:
        """Send messages."""
        if self.closed:
            return
        if not self._started:
            self._started = True
            self._connection.respond(self._stream, _RESPONSE)
        parts = []
        for message in messages:
            parts.append(b"\0" + len(message).to_bytes(4, "big"))
            parts.append(message)
        self._connection.send(self._stream, b"".join(parts))

    def finish(self, status: Status = Status.OK) -> None:
        """End the call. An error says no more than its name: what was wrong with the input would carry input."""
        if self.closed:
            return
        self._close()
        start = b"" if self._started else _RESPONSE
        self._connection.respond(self._stream, start + _TRAILERS[status], end=True)

    def abort(self, status: Status) -> None:
        """End the call for something that its service does not know of."""
        if not self.closed:
            self.finish(status)
            self.service.reset()

    def resume(self) -> None:
        """Take the messages that came meanwhile, and what comes next."""
        if self.closed or not self._paused:
            return
        self._paused = False
        if self._kept:
            self._deliver(self._taken())
        if self._ended and not self._paused:
            self._complete()
        self._connection.release(self._stream)

    def flush(self) -> None:
        """Write what was sent outside of a service's own methods, which are flushed anyway."""
        self._flush()

    def data(self, data: bytes) -> bool:
        """Take bytes of the request."""
        if self.closed:
            return True
        if self._kept or self._paused:
            self._keep(data)
            if self._paused or len(self._kept) < self._needed:
                return not self._paused
            data = self._taken()
        self._deliver(data)
        return not self._paused

    def end(self) -> None:
        """The client has said its last; it is heard after all messages."""
        self._ended = True
        if not self._paused:
            self._complete()

    def reset(self) -> None:
        """The stream is over."""
        if not self.closed:
            self._close()
            self.service.reset()

    def _deliver(self, data: bytes) -> None:
        place, size, message = 0, len(data), self.service.message
        while size - place >= _PREFIX:
            start = place + _PREFIX
            end = start + int.from_bytes(data[place + 1 : start], "big")
            if data[place]:
                self.abort(Status.UNIMPLEMENTED)  # compressed; nobody was told that this is understood
            elif end - start > LARGEST_MESSAGE:
                self.abort(Status.RESOURCE_EXHAUSTED)
            elif end > size:
                self._needed = end - place
                break
            else:
                place = end
                self._paused = not message(data[start:end])
            if self._paused or self.closed:
                break
        if place < size:
            self._keep(data[place:])

    def _keep(self, data: bytes) -> None:
        """Keep bytes until the rest of their message is there, or until they may be served."""
        if self.closed:
            return
        self._allowance.kept += len(data)
        self._kept += data
        if self._allowance.kept > self._allowance.most_bytes:
            self.abort(Status.RESOURCE_EXHAUSTED)

    def _taken(self) -> bytes:
        data = bytes(self._kept)
        self._allowance.kept -= len(data)
        self._kept.clear()
        self._needed = 0
        return data

    def _complete(self) -> None:
        """Tell the service that there is no more; half a message is none."""
        if self._kept:
            self.abort(Status.INTERNAL)
        elif not self.closed:
            self.service.end()

    def _close(self) -> None:
        self.closed = True
        self._allowance.calls -= 1
        self._taken()
        if self.timer is not None:
            self.timer.cancel()
