"""The picker's own transport: HTTP/2 over asyncio, for exactly the services a gateway calls.

All frames of a read are handled in one call and all answers leave in one write: no task, lock or thread hand-over a
message. Only a choice takes a task.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from typing import cast

from chimera_router.director import Director
from chimera_router.errors import ConfigError
from chimera_router.extproc import paths, rpc
from chimera_router.extproc.call import Call
from chimera_router.extproc.health import Health
from chimera_router.extproc.http2.connection import Connection, Terms
from chimera_router.extproc.http2.frames import Code
from chimera_router.extproc.http2.header_blocks import Headers
from chimera_router.extproc.rpc import Rpc
from chimera_router.extproc.services import AccessLog, Choices, HealthCheck, Process

SWEEP = 1.0  # seconds between looks at who has waited too long for a body
BACKLOG = 1024  # connections that may wait to be accepted
HANDSHAKE = 10.0  # seconds for a TLS handshake; and for the connection's preface
WRITE_BUFFER = 4 * 1024 * 1024  # bytes not yet taken by a slow peer, beyond which nothing more is read from it
LAST_WORDS = 1.0  # seconds for a peer to hear that it shall open no more streams, and to close

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))  # seconds, seconds, tries


class Session(asyncio.Protocol):
    """One connection.

    Args:
        server: Whose it is.
    """

    def __init__(self, server: "NativeServer") -> None:
        self._server = server
        self._clock = server.director.clock
        self._choices = Choices(server.director)
        self._transport: asyncio.Transport | None = None
        services = server.services(self._choices)
        self.connection = Connection(Terms(), partial(rpc.opened, services=services, flush=self.flush))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer; one that was sent here by TLS for another protocol is turned away."""
        self._transport = transport = cast("asyncio.Transport", transport)  # what a stream server makes
        self._server.sessions.add(self)
        _tune(transport)
        if transport.get_extra_info("ssl_object") is not None and _protocol(transport) not in {"h2", None}:
            transport.abort()
            return
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Handle what a read brought."""
        self.connection.receive(data, self._clock())
        self.flush()

    def flush(self) -> None:
        """Write what there is to say."""
        self._choices.make()
        connection, transport = self.connection, self._transport
        if transport is None:
            return
        if connection.out:
            transport.write(connection.out.take())
        if connection.closed:
            transport.close()

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
        self._server.sessions.discard(self)

    def drain(self) -> None:
        """Take no new streams."""
        self.connection.drain()
        self.flush()

    def finish(self) -> None:
        """Close, with whatever is still open."""
        self.connection.fail(Code.NO_ERROR)
        self.flush()


class NativeServer:
    """Serves ext_proc and health on one port.

    Args:
        director: Who chooses.
        health: What is said to probes.
        host: Address to bind.
        port: To bind; 0 takes a free one.
        context: Of TLS; None serves plain text.

    Attributes:
        port: The port bound.
        director: Who chooses.
        sessions: The connections that are open.
    """

    def __init__(
        self, director: Director, health: Health, *, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self.director = director
        self.sessions: set[Session] = set()
        self._health = health
        self._host = host
        self._context = context
        self._open: set[Process] = set()
        self._empty = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sweeps: asyncio.Task[None] | None = None

    def services(self, choices: Choices) -> Mapping[str, rpc.Open]:
        """Return who serves which path of one connection."""
        return {
            paths.PROCESS: partial(self._process, choices),
            paths.LOG: lambda call, _: AccessLog(call, self.director),
            paths.CHECK: lambda call, _: HealthCheck(call, self._health, watch=False),
            paths.WATCH: lambda call, _: HealthCheck(call, self._health, watch=True),
        }

    async def start(self) -> None:
        """Accept connections.

        Raises:
            ConfigError: The port is taken.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                partial(Session, self),
                self._host,
                self.port,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE if self._context else None,
                backlog=BACKLOG,
                reuse_port=False,
            )
        except (OSError, socket.gaierror) as error:
            place = f"{self._host}:{self.port}"
            raise ConfigError(f"{place}: the port cannot be bound, is something else listening there?") from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeps = loop.create_task(self._sweep())

    async def stop(self, grace: float) -> None:
        """Take no new streams, let the open ones end, close.

        Args:
            grace: Seconds that the open ones get.
        """
        if self._server is not None:
            self._server.close()
        for session in tuple(self.sessions):
            session.drain()
        await self._emptied(grace)
        for session in tuple(self.sessions):
            session.finish()
        if self._sweeps is not None:
            self._sweeps.cancel()

    async def _emptied(self, grace: float) -> None:
        """Wait until no stream is open; a moment at least, for streams that are on their way."""
        deadline = asyncio.get_running_loop().time() + grace
        await asyncio.sleep(min(grace, LAST_WORDS))
        try:
            async with asyncio.timeout_at(deadline):
                while self._open:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            for process in tuple(self._open):
                process.expire()

    def _process(self, choices: Choices, call: Rpc, _headers: Headers) -> Process:
        process = Process(call, Call(self.director), choices, self._ended)
        self._open.add(process)
        return process

    def _ended(self, process: Process) -> None:
        self._open.discard(process)
        if not self._open:
            self._empty.set()


def _tune(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(high=WRITE_BUFFER)
    opened = transport.get_extra_info("socket")
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        opened.setsockopt(socket.IPPROTO_TCP, option, value)


def _protocol(transport: asyncio.Transport) -> str | None:
    chosen: str | None = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    return chosen
