"""The certificate of the day, as each kind of server takes it: gRPC's own and asyncio's.

Handshakes that begin after a swap get the new certificate; connections that are open stay as they are.
"""

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import grpc

from chimera_router.tls.contexts import server_context
from chimera_router.tls.material import Material


class Certificates:
    """Serves what is current.

    Args:
        current: Returns it. Called at every handshake, from threads of gRPC's too, so it must neither wait nor compute.
    """

    def __init__(self, current: Callable[[], Material]) -> None:
        self._current = current

    def of_any_client(self) -> "Certificates":
        """Return the same certificate for servers that ask no client for one."""
        return Certificates(lambda: replace(self._current(), authorities=None))

    def credentials(self) -> grpc.ServerCredentials:
        """Return what a gRPC server takes. Whether it asks for client certificates is settled here and now."""
        given = self._current()

        def changed() -> grpc.ServerCertificateConfiguration | None:
            """Return what is new since it was last asked for: gRPC makes its context anew for all that it is given."""
            nonlocal given
            current = self._current()
            if current == given:
                return None
            given = current
            return _configuration(current)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(given),
            changed,  # type: ignore[arg-type] # its types forget that None stands for no change
            require_client_authentication=given.authorities is not None,
        )

    def context(self, protocol: str) -> ssl.SSLContext:
        """Return what an asyncio server takes, for one application protocol (ALPN): `h2` or `http/1.1`."""
        return _CurrentContext(self._current, protocol)


class _CurrentContext(ssl.SSLContext):
    """Stands for the context of the certificate that is current when a connection begins.

    A whole new one for each certificate: a context in use cannot be told to trust an authority no longer, and one's own
    keys for session tickets keep a client from resuming a session that an authority of yesterday let in.
    """

    def __new__(cls, _current: Callable[[], Material], _protocol: str) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: Callable[[], Material], protocol: str) -> None:
        self._current, self._protocol = current, protocol
        self._take(current())

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection: what the event loops, asyncio's and uvloop's, ask of a context."""
        current = self._current()
        if current != self._taken:
            self._take(current)
        return self._context.wrap_bio(*arguments, **options)

    def _take(self, material: Material) -> None:
        self._taken = material
        self._context = server_context(
            material.certificate, material.key, authorities=material.authorities, protocol=self._protocol
        )


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    pair = (material.key, material.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=material.authorities)
