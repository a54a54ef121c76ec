"""The conservative transport: grpc.aio, with the options that its core needs for this traffic."""

import grpc

from chimera_router.director import Director
from chimera_router.extproc.grpc_services import handlers
from chimera_router.extproc.health import Health
from chimera_router.listening import bind
from chimera_router.tls.certificates import Certificates

_OPTIONS = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),  # bytes; gateways send bodies in pieces under 64 KiB
    ("grpc.max_metadata_size", 64 * 1024),  # bytes
    ("grpc.max_concurrent_streams", 10_000),  # one connection carries all of a gateway's requests
    ("grpc.server.max_pending_requests", 20_000),  # streams opened at once; past about 3,000 the default drops some
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # gateways keep idle connections alive
    ("grpc.so_reuseport", 0),  # a second picker on the port must fail, not share it
]


class GrpcServer:
    """Serves ext_proc and health on one port.

    Attributes:
        port: The port bound; what port 0 became.

    Raises:
        ConfigError: The port is taken.
    """

    def __init__(self, director: Director, health: Health, *, address: str, certificates: Certificates | None) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers(handlers(director, health))
        self.port = bind(self._server, address=address, certificates=certificates)

    async def start(self) -> None:
        """Accept streams."""
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no new streams and let the open ones end.

        Args:
            grace: Seconds that they get.
        """
        await self._server.stop(grace)
