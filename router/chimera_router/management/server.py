"""Serve the pages on their port, over TLS or not."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from chimera_router.errors import ConfigError
from chimera_router.management.connections import Connections
from chimera_router.management.pages import Management
from chimera_router.tls.certificates import Certificates

HANDSHAKE = 5.0  # seconds; a client that takes longer only holds a connection
FAREWELL = 1.0  # seconds for calls under way when the server stops


@dataclass(frozen=True, slots=True)
class ManagementServer:
    """A server of the pages.

    Attributes:
        port: The port bound; what port 0 became.
    """

    port: int
    _listening: asyncio.Server
    _runner: web.AppRunner

    async def stop(self) -> None:
        """Take no new calls; those under way get a moment."""
        self._listening.close()
        await self._runner.cleanup()


async def serve(
    management: Management, *, host: str, port: int, certificates: Certificates | None = None
) -> ManagementServer:
    """Start the pages, over TLS where there are certificates.

    Raises:
        ConfigError: The port is taken.
    """
    runner = web.AppRunner(management.app(), shutdown_timeout=FAREWELL)
    await runner.setup()
    try:
        listening = await asyncio.get_running_loop().create_server(
            Connections(cast("web.Server", runner.server), management.limits),
            host,
            port,
            reuse_port=False,
            **_tls(certificates),
        )
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"{host}:{port}: the port cannot be bound, is something else listening there?") from error
    return ManagementServer(listening.sockets[0].getsockname()[1], listening, runner)


def _tls(certificates: Certificates | None) -> dict[str, Any]:
    if certificates is None:
        return {}
    return {"ssl": certificates.of_any_client().context("http/1.1"), "ssl_handshake_timeout": HANDSHAKE}
