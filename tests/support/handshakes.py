"""Servers over one object of certificates, and clients that try to get in."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from authorities import Pair
from directors import director
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chimera_router.extproc.health import Health
from chimera_router.extproc.server import server
from chimera_router.tls import material
from chimera_router.tls.certificates import Certificates
from chimera_router.transports import Transport


class Serving:
    """Certificates that a test swaps."""

    def __init__(self, pair: Pair, authorities: bytes | None = None) -> None:
        self.swap(pair, authorities)
        self.certificates = Certificates(lambda: self.material)

    def swap(self, pair: Pair, authorities: bytes | None = None) -> None:
        self.material = material.parse(pair.certificate, pair.key, authorities)


@dataclass
class Door:
    """A server of health on a port of loopback."""

    port: int

    async def knock(self, *, trust: bytes, client: Pair | None = None) -> bool:
        """Open a new connection and say whether it was served."""
        pair = (client.key, client.certificate) if client else (None, None)
        credentials = grpc.ssl_channel_credentials(trust, *pair)
        alone = [("grpc.use_local_subchannel_pool", 1)]  # channels to one address otherwise share a connection
        async with grpc.aio.secure_channel(f"localhost:{self.port}", credentials, options=alone) as channel:
            try:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.aio.AioRpcError:
                return False
            return True


@asynccontextmanager
async def served(transport: Transport, certificates: Certificates) -> AsyncIterator[Door]:
    """Serve health as the picker does."""
    health = Health()
    running = server(transport, director(), health, host="127.0.0.1", port=0, certificates=certificates)
    await running.start()
    health.say(serving=True)
    yield Door(running.port)
    await running.stop(grace=0)


@asynccontextmanager
async def greeting(certificates: Certificates) -> AsyncIterator[int]:
    """Say hello to everybody on a port of an asyncio server, and yield the port."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=certificates.context("h2"))
    async with server:
        yield server.sockets[0].getsockname()[1]


async def greeted(port: int, context: ssl.SSLContext) -> tuple[bytes, ssl.SSLObject]:
    """Return what the server says to a client, and the client's session."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    session = writer.get_extra_info("ssl_object")
    try:
        return await reader.read(5), session
    finally:
        writer.transport.abort()


def client_context(trust: bytes, client: Pair | None = None) -> ssl.SSLContext:
    """Return the context of a client that trusts an authority, and may show a certificate."""
    context = ssl.create_default_context(cadata=trust.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    if client is not None:
        with tempfile.TemporaryDirectory() as folder:
            files = client.write(Path(folder))
            context.load_cert_chain(files / "tls.crt", files / "tls.key")
    return context
