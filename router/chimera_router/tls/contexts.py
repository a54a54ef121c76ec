"""One certificate as a TLS context of the standard library."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

# What RFC 9113 lets HTTP/2 use under TLS 1.2; those of TLS 1.3 are all good.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(certificate: bytes, key: bytes, *, authorities: bytes | None, protocol: str) -> ssl.SSLContext:
    """Return a server's context, TLS 1.2 at least.

    Args:
        certificate: PEM, the server's own first.
        key: PEM, unencrypted.
        authorities: PEM; clients must show a certificate that one of them signed. None asks for none.
        protocol: The application protocol to agree on (ALPN).

    Raises:
        ssl.SSLError: OpenSSL refuses one of them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols([protocol])
    with _in_memory(certificate + b"\n" + key) as path:
        context.load_cert_chain(path)
    if authorities is not None:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def _in_memory(contents: bytes) -> Iterator[str]:
    """Yield the path of a file on no disk: the ssl module loads keys from paths only, and pods may not write any."""
    descriptor = os.memfd_create("tls")
    os.set_blocking(descriptor, False)  # memory waits for nothing; tests that look for blocking calls go by this
    try:
        os.write(descriptor, contents)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
