"""One connection of the picker's own transport: its socket, the choices of its calls, its end."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Protocol, cast

import structlog

from chimera_router.director import Director
from chimera_router.extproc.calls import Calls, Open
from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.terms import Terms
from chimera_router.extproc.rpc import Allowance
from chimera_router.extproc.services import Choices

GREETING = 10.0  # seconds from the connection to its first settings, which come with it
IDLE = 3600.0  # seconds without a call after which a connection is given up; gateways themselves wait as long
WRITE_BUFFER = 4 * 1024 * 1024  # bytes not yet taken by a slow peer, beyond which nothing more is read from it

# A peer that vanished without a word is given up after 90 seconds: where nothing is to be written, by the kernel's
# probes; else once it has taken nothing for as long. No pings beside them: gateways have their own, and what the probes
# do not find, a proxy in between that answers for a peer that is gone, a gateway does not have.
_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 90_000),
)

_log = structlog.get_logger()


class Host(Protocol):
    """Who takes connections."""

    director: Director
    allowance: Allowance

    def services(self, choices: Choices) -> Mapping[str, Open]:
        """Return who serves which path of one connection."""

    def came(self, session: "Session") -> bool:
        """Take a new connection; return whether there is room for it."""

    def went(self, session: "Session") -> None:
        """Forget a connection."""


class Session(asyncio.Protocol):
    """One connection.

    Args:
        host: Who took it.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._clock = host.director.clock
        self._choices = Choices(host.director)
        self._transport: asyncio.Transport | None = None
        self._used = self._clock()
        calls = Calls(
            services=host.services(self._choices),
            flush=self.flush,
            later=asyncio.get_running_loop().call_later,
            allowance=host.allowance,
        )
        self.connection = Connection(Terms(), calls.open)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer, if there is room for it."""
        self._transport = made = cast("asyncio.Transport", transport)  # what a stream server makes
        if self._host.came(self):
            _tune(made)
            self.flush()
        else:
            made.abort()

    def data_received(self, data: bytes) -> None:
        """Handle what a read brought."""
        try:
            self.connection.receive(data, self._clock())
            self._choices.make()
        except Exception as fault:  # noqa: BLE001 - it would be logged with what the peer sent
            _log.error("a connection was ended by a fault", kind=type(fault).__name__)
            self.connection.fail(Code.INTERNAL_ERROR)
        self._write()

    def flush(self) -> None:
        """Write what there is to say."""
        self._choices.make()
        self._write()

    def pause_writing(self) -> None:
        """The peer does not take what it asked for: it gets no more to ask."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It has taken it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The peer says nothing more; it hears nothing more either."""
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        """End every stream."""
        self._transport = None
        self.connection.lost()
        self._host.went(self)

    def look(self) -> None:
        """Give up a connection that says nothing, or has carried nothing for long."""
        now = self._clock()
        if len(self.connection):
            self._used = now
        waited, limit = now - self._used, IDLE if self.connection.greeted else GREETING
        if waited > limit + GREETING:
            self.finish()
        elif waited > limit:
            self.drain()

    def drain(self) -> None:
        """Ask for no new streams."""
        self.connection.drain()
        self._write()

    def finish(self) -> None:
        """Close, with whatever is still open."""
        self.connection.fail(Code.NO_ERROR)
        self._write()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self) -> None:
        transport = self._transport
        if transport is None:
            return
        data = self.connection.output()
        if data:
            transport.write(data)
        if self.connection.closed:
            transport.close()


def _tune(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(high=WRITE_BUFFER)
    opened = transport.get_extra_info("socket")
    for level, option, value in _OPTIONS:
        opened.setsockopt(level, option, value)
