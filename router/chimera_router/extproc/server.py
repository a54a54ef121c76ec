"""The port that gateways call, over either transport."""

import asyncio
from typing import Protocol

from chimera_router.director import Director
from chimera_router.extproc.grpc_server import GrpcServer
from chimera_router.extproc.health import Health
from chimera_router.extproc.native import NativeServer
from chimera_router.tls.certificates import Certificates
from chimera_router.transports import Transport


class Server(Protocol):
    """Serves ext_proc and health on one port."""

    port: int

    async def start(self) -> None:
        """Accept streams.

        Raises:
            ConfigError: The port is taken.
        """

    async def stop(self, grace: float) -> None:
        """Take no new streams and let the open ones end, for so many seconds."""


def server(  # noqa: PLR0913 - all of a port's wiring, by name
    transport: Transport,
    director: Director,
    health: Health,
    *,
    host: str,
    port: int,
    certificates: Certificates | None,
) -> Server:
    """Return a server that is not started yet.

    Args:
        transport: What carries the streams.
        director: Who chooses.
        health: What is said to probes.
        host: Address to bind.
        port: To bind; 0 takes a free one.
        certificates: What to serve over TLS with; None serves plain text.

    Raises:
        ConfigError: The port is taken.
    """
    if transport is Transport.GRPC:
        return GrpcServer(director, health, address=f"{host}:{port}", certificates=certificates)
    context = certificates.context("h2") if certificates else None
    return NativeServer(director, health, host=host, port=port, context=context)


async def drain(running: Server, health: Health, grace: float) -> None:
    """Stop a server so that no request is lost: probes hear of it first, so that the gateway goes elsewhere.

    Args:
        running: The server.
        health: What is said to probes.
        grace: Seconds that open streams get.
    """
    health.say(serving=False)
    await asyncio.sleep(0)  # watchers hear of it before the port closes
    await running.stop(grace)
