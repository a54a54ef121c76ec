"""gRPC over HTTP/2, as its PROTOCOL-HTTP2.md lays it out: messages with their lengths, statuses in trailers."""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Protocol

from chimera_router.extproc.http2.connection import Connection, Handler
from chimera_router.extproc.http2.header_blocks import Headers, literal
from chimera_router.extproc.http2.streams import Stream

LARGEST_MESSAGE = 4 * 1024 * 1024  # bytes; gRPC's own default. Gateways send bodies in pieces far below

_PREFIX = 5  # bytes before a message: whether it is compressed, and its length
_CONTENT_TYPE = "application/grpc"
_RESPONSE = literal(((":status", "200"), ("content-type", _CONTENT_TYPE)))
_NOT_GRPC = literal(((":status", "415"), ("content-type", "text/plain")))
_NOT_GRPC_TEXT = b"only gRPC is served here\n"


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


Flush = Callable[[], None]


class Rpc:
    """What a service may do with one call.

    Attributes:
        closed: Whether the call has ended here.
    """

    __slots__ = ("_connection", "_flush", "_started", "_stream", "closed")

    def __init__(self, connection: Connection, stream: Stream, flush: Flush) -> None:
        self.closed = False
        self._connection = connection
        self._stream = stream
        self._flush = flush
        self._started = False

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
        self.closed = True
        trailers = _TRAILERS[status]
        if self._started:
            self._connection.trailers(self._stream, trailers)
        else:
            self._connection.respond(self._stream, _RESPONSE + trailers, end=True)

    def release(self) -> None:
        """Say that the messages that were held are done with."""
        self._connection.release(self._stream)

    def flush(self) -> None:
        """Write what was sent outside of a service's own methods, which are flushed anyway."""
        self._flush()


class Service(Protocol):
    """One call, seen from who serves it."""

    def message(self, data: bytes) -> bool:
        """Take a message; return whether it is done with, else `Rpc.release` has to say so."""

    def end(self) -> None:
        """The client has said its last."""

    def reset(self) -> None:
        """The call is over, whatever it was in the middle of: cancelled, or its connection lost."""


Open = Callable[[Rpc, Headers], Service]
"""Returns who serves a new call."""


class Messages:
    """Puts a stream's data together into messages for a service."""

    __slots__ = ("_left", "_rpc", "_service")

    def __init__(self, rpc: Rpc, service: Service) -> None:
        self._rpc = rpc
        self._service = service
        self._left = b""

    def data(self, data: bytes) -> bool:
        """Take bytes of the request."""
        if self._left:
            data = self._left + data
        place, size, done = 0, len(data), True
        while size - place >= _PREFIX and not self._rpc.closed:
            end = place + _PREFIX + int.from_bytes(data[place + 1 : place + _PREFIX], "big")
            if data[place]:
                self._rpc.finish(Status.UNIMPLEMENTED)  # compressed; nobody was told that this is understood
                break
            if end - place > LARGEST_MESSAGE + _PREFIX:
                self._rpc.finish(Status.RESOURCE_EXHAUSTED)
                break
            if end > size:
                break
            done &= self._service.message(data[place + _PREFIX : end])
            place = end
        self._left = b"" if self._rpc.closed else data[place:]
        return done

    def end(self) -> None:
        """The client has said its last; half a message is none."""
        if self._left:
            self._rpc.finish(Status.INTERNAL)
        self._service.end()

    def reset(self) -> None:
        """The call is over."""
        self._rpc.closed = True
        self._service.reset()


class _Refused:
    """A request that is no call."""

    def data(self, _data: bytes) -> bool:
        return True

    def end(self) -> None:
        """Say nothing more."""

    def reset(self) -> None:
        """Hold nothing."""


_REFUSED = _Refused()


def opened(
    connection: Connection, stream: Stream, headers: Headers, *, services: Mapping[str, Open], flush: Flush
) -> Handler:
    """Return who serves a new request, by its path.

    Args:
        connection: Where it came.
        stream: Of the request.
        headers: Of the request.
        services: Who serves which path.
        flush: Writes what the connection has to say.
    """
    if headers[":method"] != "POST" or not headers.get("content-type", "").startswith(_CONTENT_TYPE):
        connection.respond(stream, _NOT_GRPC)
        connection.send(stream, _NOT_GRPC_TEXT)
        connection.end(stream)
        return _REFUSED
    rpc = Rpc(connection, stream, flush)
    service = services.get(headers[":path"])
    if service is None:
        rpc.finish(Status.UNIMPLEMENTED)
        return _REFUSED
    return Messages(rpc, service(rpc, headers))
