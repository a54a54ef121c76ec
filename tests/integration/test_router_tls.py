"""One object of certificates under both transports: gRPC's own and the picker's on asyncio."""

import asyncio
import ssl
import warnings
from contextlib import suppress

import blocking
import pytest
import uvloop
from authorities import Authority
from handshakes import Serving, client_context, greeted, greeting, served

from chimera_router.tls.certificates import Certificates
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

SERVERS, OTHERS = Authority("servers"), Authority("others")
GATEWAYS, GUESTS = Authority("gateways"), Authority("guests")


@pytest.fixture(params=list(Transport))
def transport(request: pytest.FixtureRequest) -> Transport:
    return Transport(request.param)


@pytest.fixture
def serving() -> Serving:
    return Serving(SERVERS.sign())


async def test_certificate_is_served(transport: Transport, serving: Serving) -> None:
    """A client that trusts the authority is served, one that does not is not."""
    async with served(transport, serving.certificates) as door:
        assert await door.knock(trust=SERVERS.certificate)
        assert not await door.knock(trust=OTHERS.certificate)


async def test_new_handshakes_get_the_new_certificate(transport: Transport, serving: Serving) -> None:
    """After a swap new connections see the new one, without a restart; the old authority no longer fits."""
    async with served(transport, serving.certificates) as door:
        assert await door.knock(trust=SERVERS.certificate)
        serving.swap(OTHERS.sign())

        assert await door.knock(trust=OTHERS.certificate)
        assert not await door.knock(trust=SERVERS.certificate)


async def test_clients_without_the_certificate_asked_for_are_refused(transport: Transport) -> None:
    """With client authorities only clients that one of them signed for are served."""
    serving = Serving(SERVERS.sign(), GATEWAYS.certificate)
    async with served(transport, serving.certificates) as door:
        assert await door.knock(trust=SERVERS.certificate, client=GATEWAYS.sign("gateway"))
        assert not await door.knock(trust=SERVERS.certificate, client=GUESTS.sign("gateway"))
        assert not await door.knock(trust=SERVERS.certificate)


async def test_client_authority_that_was_removed_is_refused(transport: Transport) -> None:
    """A client of an authority that is no longer listed gets no new connection; those of the others do."""
    serving, gateway, guest = Serving(SERVERS.sign()), GATEWAYS.sign("gateway"), GUESTS.sign("guest")
    serving.swap(SERVERS.sign(), GATEWAYS.certificate + GUESTS.certificate)
    async with served(transport, serving.certificates) as door:
        assert await door.knock(trust=SERVERS.certificate, client=guest)
        serving.swap(SERVERS.sign(), GATEWAYS.certificate)

        assert not await door.knock(trust=SERVERS.certificate, client=guest)
        assert await door.knock(trust=SERVERS.certificate, client=gateway)


async def test_certificate_may_be_served_to_any_client(transport: Transport) -> None:
    """For applications, which show tokens instead, the same certificate asks for none."""
    serving = Serving(SERVERS.sign(), GATEWAYS.certificate)
    async with served(transport, serving.certificates.of_any_client()) as door:
        assert await door.knock(trust=SERVERS.certificate)
        serving.swap(OTHERS.sign(), GATEWAYS.certificate)
        assert await door.knock(trust=OTHERS.certificate)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_http2_is_agreed_on(transport: Transport, serving: Serving, version: ssl.TLSVersion) -> None:
    """From TLS 1.2 on, client and server agree on HTTP/2 and on a cipher that it allows."""
    context = client_context(SERVERS.certificate)
    context.minimum_version = context.maximum_version = version
    async with served(transport, serving.certificates) as door:
        _, session = await greeted(door.port, context)

    assert session.selected_alpn_protocol() == "h2"
    assert any(cipher in str(session.cipher()) for cipher in ("GCM", "CHACHA20"))


async def test_old_tls_is_refused(transport: Transport, serving: Serving) -> None:
    """A client that speaks nothing newer than TLS 1.1 is not served."""
    context = client_context(SERVERS.certificate)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    async with served(transport, serving.certificates) as door:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await greeted(door.port, context)


async def test_session_of_a_removed_authority_is_not_resumed() -> None:
    """A ticket from before the swap does not let a client in that its certificate no longer would."""
    guest = client_context(SERVERS.certificate, GUESTS.sign("guest"))
    guest.maximum_version = ssl.TLSVersion.TLSv1_2
    serving = Serving(SERVERS.sign(), GUESTS.certificate)
    pair = serving.material
    context = serving.certificates.context("h2")

    first = _handshake(context, guest, None)
    assert _handshake(context, guest, first.session).session_reused
    serving.swap(SERVERS.sign(), GATEWAYS.certificate)
    assert serving.material != pair
    with pytest.raises(ssl.SSLError):
        _handshake(context, guest, first.session)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLObject:
    """Shake hands in memory and return the client's side."""
    ours, theirs = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    accepting = server.wrap_bio(ours[0], ours[1], server_side=True)
    asking = client.wrap_bio(theirs[0], theirs[1], server_hostname="localhost", session=session)
    for _ in range(4):
        for side in (asking, accepting):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            ours[0].write(theirs[1].read())
            theirs[0].write(ours[1].read())
    return asking


async def test_plain_text_is_refused_where_there_is_a_certificate(transport: Transport, serving: Serving) -> None:
    """A client without TLS gets nothing from a picker with a certificate."""
    async with served(transport, serving.certificates) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")

        assert not await reader.read(5)
        writer.close()


async def test_swap_blocks_no_event_loop(serving: Serving) -> None:
    """What a connection does with a new certificate waits for nothing."""
    with blocking.nothing_blocks():
        async with greeting(serving.certificates) as port:
            serving.swap(OTHERS.sign())
            assert (await greeted(port, client_context(OTHERS.certificate)))[0] == b"hello"


def test_uvloop_takes_the_certificate_of_the_day() -> None:
    """The same on the other event loop: each new connection gets what is current."""
    serving = Serving(SERVERS.sign())

    async def swapped(certificates: Certificates) -> list[bytes]:
        async with greeting(certificates) as port:
            first, _ = await greeted(port, client_context(SERVERS.certificate))
            serving.swap(OTHERS.sign())
            second, _ = await greeted(port, client_context(OTHERS.certificate))
            return [first, second]

    assert uvloop.run(swapped(serving.certificates)) == [b"hello", b"hello"]
