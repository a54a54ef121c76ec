"""The picker's own transport on real sockets, with grpcio as the gateway; nothing in it may block the event loop."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from authorities import Authority
from directors import director
from envoy.service.accesslog.v3 import als_pb2
from eventual import eventually
from gateways import BODY, CHAT, Stream, picker, set_headers, streamed
from handshakes import Serving, client_context
from peers import Frame, parsed, ping
from sessions import headers

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.extproc.health import Health
from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.paths import LOG, PROCESS
from chimera_router.extproc.server import drain, server
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop", "nothing_blocks")]

AUTHORITY = Authority("pickers")
ALONE = [("grpc.use_local_subchannel_pool", 1)]  # channels to one address otherwise share a connection


@pytest.fixture
def made() -> Director:
    return director(clock=time.monotonic)


@pytest.fixture
async def plain(made: Director) -> AsyncIterator[grpc.aio.Channel]:
    async with picker(made) as running, grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        yield channel


@asynccontextmanager
async def over_tls(made: Director) -> AsyncIterator[tuple[int, grpc.aio.Channel]]:
    """Serve over TLS; yield the port and a channel."""
    credentials = grpc.ssl_channel_credentials(AUTHORITY.certificate)
    async with (
        picker(made, certificates=Serving(AUTHORITY.sign()).certificates) as running,
        grpc.aio.secure_channel(f"localhost:{running.port}", credentials, options=ALONE) as channel,
    ):
        yield running.port, channel


async def exchange(channel: grpc.aio.Channel, body: bytes = BODY) -> str:
    """Have one request answered, and return the model that answered it."""
    stream = Stream(channel)
    await stream.headers(CHAT)
    for place in range(0, len(body), 60_000):
        await stream.body(body[place : place + 60_000])
    await stream.body(b"", end=True)
    await stream.read()
    while not streamed(await stream.read(), "request")[1]:
        """Read the body that is sent on."""
    await stream.headers({":status": "200"}, response=True)
    answered = set_headers((await stream.read()).response_headers)
    await stream.body(b"data", response=True, end=True)
    assert streamed(await stream.read(), "response") == (b"data", True)
    assert await stream.call.code() is grpc.StatusCode.OK
    return answered[wire.MODEL]


def streams(made: Director) -> float | None:
    return made.metrics.registry.get_sample_value("chimera_streams")


async def test_tls_carries_bodies_of_megabytes(made: Director) -> None:
    """Both ways, beyond every window, over one connection."""
    body = BODY.replace(b'"hi"', b'"' + b"x" * 9_000_000 + b'"')
    async with over_tls(made) as (_, channel):
        assert await exchange(channel, body) == "large"
        assert len(await asyncio.gather(*(exchange(channel) for _ in range(50)))) == 50


async def test_access_log_tells_when_answers_end(made: Director, plain: grpc.aio.Channel) -> None:
    """Over plain text and over TLS an answer that passes unseen is known to have ended."""
    async with over_tls(made) as (_, secure):
        for channel in (plain, secure):
            stream = Stream(channel)
            await stream.headers({**CHAT, "x-request-id": "id-1"})
            await stream.body(BODY, end=True)
            await stream.read(), await stream.read()
            await stream.call.done_writing()
            assert await stream.call.code() is grpc.StatusCode.OK
            await eventually(lambda: len(made.unseen), 1)

            log = channel.stream_unary(LOG)()
            message = als_pb2.StreamAccessLogsMessage()
            entry = message.http_logs.log_entry.add()
            entry.request.request_id = "id-1"
            entry.common_properties.time_to_last_downstream_tx_byte.FromMilliseconds(5)
            await log.write(message.SerializeToString())
            await log.done_writing()

            assert await log == b""
            await eventually(lambda: len(made.unseen), 0)


async def test_client_that_keeps_coming_is_served_while_the_picker_drains(made: Director) -> None:
    """A channel that goes on opening streams loses none until the time is nearly over, and is then turned away."""
    health = Health()
    running = server(Transport.NATIVE, made, health, host="127.0.0.1", port=0, certificates=None)
    await running.start()
    health.say(serving=True)
    served: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}", options=ALONE) as channel:

        async def keep_asking() -> None:
            while True:
                await exchange(channel)
                served.append(time.monotonic())

        traffic = [asyncio.create_task(keep_asking()) for _ in range(4)]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await drain(running, health, 3.0)
        lost = await asyncio.gather(*traffic, return_exceptions=True)

    assert all(isinstance(each, grpc.aio.AioRpcError) for each in lost)
    assert sum(at > began for at in served) > 50
    assert max(served) > began + 1.9
    assert streams(made) == 0


async def test_drain_of_a_picker_without_connections_takes_no_time(made: Director) -> None:
    """There is nobody to wait for; nor is there for a peer that has heard and has nothing open."""
    health = Health()
    for connect in (False, True):
        running = server(Transport.NATIVE, made, health, host="127.0.0.1", port=0, certificates=None)
        await running.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}", options=ALONE) as channel:
            if connect:
                await exchange(channel)
            async with asyncio.timeout(5):
                await drain(running, health, 60.0)


async def test_deadline_is_kept_for_a_client_that_does_not(made: Director, plain: grpc.aio.Channel) -> None:
    """A stream whose client states a deadline and never ends it is ended."""
    call = plain.stream_stream(PROCESS)(metadata=(("grpc-timeout", "200m"),))
    await call.write(headers(CHAT))

    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: streams(made), 0)


@pytest.mark.parametrize(
    ("message", "compression", "code"),
    [
        (bytes(4 * 1024 * 1024 + 1), grpc.Compression.NoCompression, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (b"x" * 10_000, grpc.Compression.Gzip, grpc.StatusCode.UNIMPLEMENTED),
        (b"\xffcanary", grpc.Compression.NoCompression, grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=["too large", "compressed", "undecodable"],
)
async def test_messages_that_are_not_taken(
    made: Director, plain: grpc.aio.Channel, message: bytes, compression: grpc.Compression, code: grpc.StatusCode
) -> None:
    """The client gets the status for it and nothing of what it sent; the connection goes on."""
    call = plain.stream_stream(PROCESS)(compression=compression)
    await call.write(message)
    assert await call.code() is code
    assert "canary" not in (await call.details() or "")

    assert await exchange(plain) == "large"
    await eventually(lambda: streams(made), 0)


async def test_failed_handshakes_are_nobodys_business(made: Director, capfd: pytest.CaptureFixture[str]) -> None:
    """Who trusts nobody here, speaks plain text or HTTP/1.1, or leaves: nothing is logged of them."""
    strangers, http1 = client_context(Authority("others").certificate), client_context(AUTHORITY.certificate)
    http1.set_alpn_protocols(["http/1.1"])
    async with over_tls(made) as (port, channel):
        for _ in range(20):
            with pytest.raises(ssl.SSLError):
                await said(port, strangers)
            assert (await said(port, http1)).endswith(frames.goaway(0, Code.PROTOCOL_ERROR))
            await said(port, None)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
        assert await exchange(channel) == "large"

    assert "".join(capfd.readouterr()) == ""


async def said(port: int, context: ssl.SSLContext | None) -> bytes:
    """Speak HTTP/1.1 with a picker, and return all that it says."""
    name = None if context is None else "localhost"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        return await reader.read()
    finally:
        writer.transport.abort()


async def test_client_without_alpn_is_served(made: Director) -> None:
    """Some probes speak HTTP/2 over TLS without saying so."""
    quiet = client_context(AUTHORITY.certificate)
    quiet.set_alpn_protocols([])
    async with over_tls(made) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=quiet, server_hostname="localhost")
        writer.write(frames.PREFACE + frames.settings(()) + ping())
        answers = await reader.readuntil(b"12345678")
        writer.transport.abort()

    assert Frame(Kind.PING, frames.ACK, 0, b"12345678") in list(parsed(answers))
