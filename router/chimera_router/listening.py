"""Bind a gRPC server to its port, with or without certificates."""

import ssl
from pathlib import Path

import grpc

from chimera_router.errors import ConfigError


def bind(server: grpc.aio.Server, *, address: str, certificates: Path | None) -> int:
    """Return the port bound; what port 0 became.

    Args:
        server: Not yet started.
        address: `host:port`.
        certificates: Folder with tls.crt and tls.key; None serves plain text.

    Raises:
        ConfigError: The port is taken, or a certificate cannot be read.
    """
    try:
        if certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(certificates))
    except RuntimeError as error:
        raise ConfigError(f"{address}: the port cannot be bound, is something else listening there?") from error


def _credentials(folder: Path) -> grpc.ServerCredentials:
    try:
        key, certificate = (folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes()
    except OSError as error:
        raise ConfigError(f"{folder}: needs tls.key and tls.crt ({type(error).__name__})") from error
    return grpc.ssl_server_credentials([(key, certificate)])


def context(folder: Path) -> ssl.SSLContext:
    """Return TLS for an asyncio server.

    Raises:
        ConfigError: A certificate cannot be read.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["h2"])
    try:
        made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{folder}: needs tls.key and tls.crt ({type(error).__name__})") from error
    return made
