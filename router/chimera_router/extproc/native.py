"""The picker's own transport: HTTP/2 over asyncio, for exactly the services a gateway calls.

All frames of a read are handled in one call and all answers leave in one write: no task, lock or thread hand-over a
message. Only a choice that has to wait takes a task.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from chimera_router.director import Director
from chimera_router.errors import ConfigError
from chimera_router.extproc import paths
from chimera_router.extproc.call import Call
from chimera_router.extproc.calls import Open
from chimera_router.extproc.health import Health
from chimera_router.extproc.rpc import Allowance, Rpc
from chimera_router.extproc.services import AccessLog, Choices, HealthCheck, HealthWatch, Process
from chimera_router.extproc.session import Session

CONNECTIONS = 1024  # open at once: one of each worker of 64 gateways with 16; with TLS they take 53 MB, without 6
SWEEP = 1.0  # seconds between looks at who has waited too long
BACKLOG = 1024  # connections that may wait to be accepted
HANDSHAKE = 10.0  # seconds for a TLS handshake
QUIET = 1.0  # seconds without a new request after which gateways are taken to have gone elsewhere
LAST_WORDS = 1.0  # seconds for peers to hear the end
LOOK = 0.02  # seconds between looks at whether the end has come


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
        allowance: What all calls may take together.
    """

    def __init__(
        self, director: Director, health: Health, *, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self.director = director
        self.allowance = Allowance()
        self._health = health
        self._host = host
        self._context = context
        self._sessions: dict[Session, None] = {}  # the oldest first
        self._open: set[Process] = set()
        self._opened = 0
        self._server: asyncio.Server | None = None
        self._sweeps: asyncio.Task[None] | None = None

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
        """Let gateways go elsewhere, let open streams end, close.

        All who are connected are asked to open no more streams here. Those who come again all the same are served until
        no request is open and none has come for a moment; only then nobody is let in any more. Answers that last longer
        than the grace go on without the picker.

        Args:
            grace: Seconds that all of it may take.
        """
        deadline = asyncio.get_running_loop().time() + grace
        self._drain()
        await self._quiet(deadline - LAST_WORDS)
        if self._server is not None:
            self._server.close()
        self._drain()
        await _until(lambda: not self._open and all(s.connection.told for s in self._sessions), deadline)
        for process in self.open:
            process.leave()
        for session in tuple(self._sessions):
            session.finish()
        await _until(lambda: not self._sessions, asyncio.get_running_loop().time() + LAST_WORDS)
        if self._sweeps is not None:
            self._sweeps.cancel()

    @property
    def open(self) -> tuple[Process, ...]:
        """The exchanges that are open."""
        return tuple(self._open)

    def sweep(self) -> None:
        """Give up who has waited too long: requests for their bodies, connections for anything."""
        for process in self.open:
            process.expire()
        for session in tuple(self._sessions):
            session.look()

    def services(self, choices: Choices) -> Mapping[str, Open]:
        """Return who serves which path of one connection."""
        return {
            paths.PROCESS: partial(self._process, choices),
            paths.LOG: lambda rpc: AccessLog(rpc, self.director),
            paths.CHECK: lambda rpc: HealthCheck(rpc, self._health),
            paths.WATCH: lambda rpc: HealthWatch(rpc, self._health),
        }

    def came(self, session: Session) -> bool:
        """Take a new connection; where there are too many, one without a call makes room, the oldest of them."""
        if len(self._sessions) >= CONNECTIONS:
            idle = next((each for each in self._sessions if not len(each.connection)), None)
            if idle is None:
                return False
            self.went(idle)
            idle.abort()
        self._sessions[session] = None
        self.director.metrics.connections.inc()
        return True

    def went(self, session: Session) -> None:
        """Forget a connection."""
        if session in self._sessions:
            del self._sessions[session]
            self.director.metrics.connections.dec()

    def _drain(self) -> None:
        for session in tuple(self._sessions):
            session.drain()

    async def _quiet(self, deadline: float) -> None:
        """Wait until no request is open and none has come for a moment, or nobody is connected any more."""
        loop = asyncio.get_running_loop()
        while self._sessions and (left := deadline - loop.time()) > 0:
            opened = self._opened
            await asyncio.sleep(min(QUIET, left))
            if not self._open and opened == self._opened:
                return

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.sweep()

    def _process(self, choices: Choices, rpc: Rpc) -> Process:
        process = Process(rpc, Call(self.director), choices, self._open.discard)
        self._open.add(process)
        self._opened += 1
        return process


async def _until(condition: Callable[[], bool], deadline: float) -> None:
    """Wait for a condition until a time on the event loop's clock."""
    while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(LOOK)
