"""Requests to calls: who serves which path, and for how long."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.header_blocks import Headers, literal
from chimera_router.extproc.http2.streams import Handler, Stream
from chimera_router.extproc.rpc import CONTENT_TYPE, Allowance, Rpc, Service, Status, Timer

_NOT_GRPC = literal(((":status", "415"), ("content-type", "text/plain")))
_NOT_GRPC_TEXT = b"only gRPC is served here\n"

_TIMEOUT = re.compile("([0-9]{1,8})([HMSmun])")
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

Open = Callable[[Rpc], Service]
"""Returns who serves a new call."""

Later = Callable[[float, Callable[[], None]], Timer]
"""Calls back after so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Opens the calls of one connection.

    Attributes:
        services: Who serves which path.
        flush: Writes what the connection has to say.
        later: For deadlines.
        allowance: Of all calls, on whatever connections.
    """

    services: Mapping[str, Open]
    flush: Callable[[], None]
    later: Later
    allowance: Allowance

    def open(self, connection: Connection, stream: Stream, headers: Headers) -> Handler:
        """Return who serves a new request."""
        if headers[":method"] != "POST" or not _is_grpc(headers.get("content-type", "")):
            return _NoCall(connection, stream)
        rpc = Rpc(connection, stream, flush=self.flush, allowance=self.allowance)
        service = self.services.get(headers[":path"])
        timeout = headers.get("grpc-timeout")
        if self.allowance.calls > self.allowance.most_calls:
            rpc.finish(Status.UNAVAILABLE)
        elif service is None:
            rpc.finish(Status.UNIMPLEMENTED)
        elif timeout is not None and not self._limit(rpc, timeout):
            rpc.finish(Status.INTERNAL)
        else:
            rpc.service = service(rpc)
        return rpc

    def _limit(self, rpc: Rpc, timeout: str) -> bool:
        """Set the deadline that a client states; return whether it is one."""
        stated = _TIMEOUT.fullmatch(timeout)
        if stated is None:
            return False
        number, unit = stated.groups()
        rpc.timer = self.later(int(number) * _SECONDS[unit], partial(self._expire, rpc))
        return True

    def _expire(self, rpc: Rpc) -> None:
        rpc.abort(Status.DEADLINE_EXCEEDED)
        self.flush()


def _is_grpc(content_type: str) -> bool:
    return content_type.startswith(CONTENT_TYPE) and content_type[len(CONTENT_TYPE) :][:1] in {"", "+", ";"}


class _NoCall:
    """A request of something else, which is told so once it is complete."""

    def __init__(self, connection: Connection, stream: Stream) -> None:
        self._connection = connection
        self._stream = stream

    def data(self, _data: bytes) -> bool:
        return True

    def end(self) -> None:
        self._connection.respond(self._stream, _NOT_GRPC)
        self._connection.send(self._stream, _NOT_GRPC_TEXT)
        self._connection.end(self._stream)

    def reset(self) -> None:
        """Hold nothing."""
