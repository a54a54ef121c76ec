"""TLS with whatever certificate the picker shows, as gateways connect to it: gRPC's own client would refuse most.

The channel speaks plain text to a port of this machine; what it says travels on in TLS.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from chimera_conformance.target import LOOPBACK, split

ALPN = "h2"
_PIECE = 1 << 16  # bytes read at once


def reachable(address: str, *, plaintext: bool) -> AbstractAsyncContextManager[str]:
    """Return the address that a plain-text channel reaches the picker by."""
    return nullcontext(address) if plaintext else _tunnel(address)


def any_certificate() -> ssl.SSLContext:
    """Return TLS that offers HTTP/2 and trusts anybody: the kit looks at the protocol, not at the trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    return context


async def negotiated(address: str, *, within: float) -> str | None:
    """Return the protocol that the picker chose in a TLS handshake; None where it chose none.

    Raises:
        OSError: There is no TLS, or nobody.
    """
    host, port = split(address)
    async with asyncio.timeout(within):
        _, writer = await asyncio.open_connection(host, port, ssl=any_certificate())
    chosen: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.close()
    return chosen


@asynccontextmanager
async def _tunnel(address: str) -> AsyncIterator[str]:
    host, port = split(address)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, calls = await asyncio.open_connection(host, port, ssl=any_certificate())
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(_pump(reader, calls))
            both.create_task(_pump(answers, writer))

    server = await asyncio.start_server(carry, LOOPBACK, 0)
    async with server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until it ends, then close both."""
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other end has gone: so does this one
    finally:
        writer.close()
