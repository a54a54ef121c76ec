"""Bind a gRPC server to its port, with or without certificates."""

import grpc

from chimera_router.errors import ConfigError
from chimera_router.tls.certificates import Certificates


def bind(server: grpc.aio.Server, *, address: str, certificates: Certificates | None) -> int:
    """Return the port bound; what port 0 became.

    Args:
        server: Not yet started.
        address: `host:port`.
        certificates: What to serve over TLS with; None serves plain text.

    Raises:
        ConfigError: The port is taken.
    """
    try:
        if certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, certificates.credentials())
    except RuntimeError as error:
        raise ConfigError(f"{address}: the port cannot be bound, is something else listening there?") from error
