"""The gRPC server: options, certificates, health, drain."""

from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from chimera_router import wire
from chimera_router.extproc.servicer import Servicer
from chimera_router.listening import bind

_OPTIONS = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),  # bytes; gateways send bodies in pieces under 64 KiB
    ("grpc.max_metadata_size", 64 * 1024),  # bytes
    ("grpc.server.max_pending_requests", 20_000),  # streams opened at once; past about 3,000 the default drops some
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # gateways keep idle connections alive
    ("grpc.so_reuseport", 0),  # a second picker on the port must fail, not share it
]


class Server:
    """Serves ext_proc and health on one port.

    Attributes:
        port: The port bound; what port 0 became.
    """

    def __init__(self, servicer: Servicer, *, address: str, certificates: Path | None) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((servicer.handler(),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = bind(self._server, address=address, certificates=certificates)

    async def start(self) -> None:
        """Accept streams; health says so."""
        await self._server.start()
        await self._announce(health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Say NOT_SERVING, take no new streams and let the open ones end."""
        await self._announce(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.stop(grace)

    async def _announce(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        for service in wire.HEALTH_SERVICES:
            await self._health.set(service, status)
