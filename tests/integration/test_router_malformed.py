"""Gateways that are broken or hostile, over both transports: a typed end, nothing of what they sent, nothing left."""

import json
from collections.abc import AsyncIterator

import grpc
import pytest
from directors import director
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from eventual import eventually
from gateways import BODY, CHAT, Stream, picker, set_headers, streamed
from sessions import headers, piece

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.extproc.paths import PROCESS
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CANARY = "canary-of-the-input"
SSE = headers({":status": "200", "content-type": "text/event-stream"}, response=True)


@pytest.fixture(params=list(Transport))
def transport(request: pytest.FixtureRequest) -> Transport:
    return Transport(request.param)


@pytest.fixture
def made() -> Director:
    return director()


@pytest.fixture
async def channel(made: Director, transport: Transport) -> AsyncIterator[grpc.aio.Channel]:
    async with picker(made, transport) as running, grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as opened:
        yield opened


def count(made: Director, name: str) -> float | None:
    return made.metrics.registry.get_sample_value(name)


DISORDER = {
    "body first": (piece(CANARY.encode()),),
    "trailers only": (ext_proc.ProcessingRequest(request_trailers=ext_proc.HttpTrailers()).SerializeToString(),),
    "response before the request": (SSE,),
    "response body before the request": (piece(CANARY.encode(), response=True),),
    "headers twice": (headers(CHAT), headers({**CHAT, "x": CANARY})),
    "answer before the body": (headers(CHAT), SSE),
    "headers after the body": (headers(CHAT), piece(BODY, end=True), headers({**CHAT, "x": CANARY})),
    "body after its end": (headers(CHAT), piece(BODY, end=True), piece(CANARY.encode())),
    "answer's headers twice": (headers(CHAT), piece(BODY, end=True), SSE, SSE),
    "nothing in it": (b"",),
    "a part that nobody knows": (b"\x7a" + bytes((len(CANARY),)) + CANARY.encode(),),
    "no protobuf": (b"\xff" + CANARY.encode(),),
}


@pytest.mark.parametrize("case", DISORDER)
async def test_disorder_is_a_violation(channel: grpc.aio.Channel, made: Director, case: str) -> None:
    """The stream ends with INVALID_ARGUMENT; the peer is told nothing of what it sent, and nothing is held for it."""
    call = channel.stream_stream(PROCESS)()
    for message in DISORDER[case]:
        await call.write(message)
    answers = [answer async for answer in _until_the_end(call)]

    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert CANARY not in (await call.details() or "") + str(answers)
    assert count(made, "chimera_protocol_violations_total") == 1
    await eventually(lambda: count(made, "chimera_streams"), 0)
    assert sum(state.load.requests for state in made.snapshot().endpoints) == 0
    assert (made.rules.intake.requests, made.rules.intake.bytes) == (0, 0)


async def _until_the_end(call: grpc.aio.StreamStreamCall[bytes, bytes]) -> AsyncIterator[bytes]:
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError:
        return


@pytest.mark.parametrize("after", [(), (headers(CHAT),), (headers(CHAT), piece(BODY[:9]))])
async def test_early_end_leaves_nothing(channel: grpc.aio.Channel, made: Director, after: tuple[bytes, ...]) -> None:
    """A gateway that closes its side before it has said all is let go without a word."""
    call = channel.stream_stream(PROCESS)()
    for message in after:
        await call.write(message)
    await call.done_writing()

    assert [answer async for answer in call] == []
    await eventually(lambda: count(made, "chimera_streams"), 0)
    assert (made.rules.intake.requests, made.rules.intake.bytes) == (0, 0)


async def test_body_byte_by_byte(channel: grpc.aio.Channel, transport: Transport) -> None:
    """A hundred thousand messages of a byte each are a body like another; over gRPC's own core ten thousand."""
    body = BODY.replace(b'"hi"', b'"' + b"x" * (100_000 if transport is Transport.NATIVE else 10_000) + b'"')
    stream = Stream(channel)
    await stream.headers(CHAT)
    for place in range(len(body)):
        await stream.body(body[place : place + 1], end=place == len(body) - 1)

    await stream.read()
    sent = b""
    while True:
        data, end = streamed(await stream.read(), "request")
        sent += data
        if end:
            break
    assert json.loads(sent)["messages"] == json.loads(body)["messages"]
    stream.call.cancel()


async def refusal(channel: grpc.aio.Channel, message: ext_proc.ProcessingRequest) -> tuple[int, str]:
    """Return the status and the body of the answer to a first message."""
    stream = Stream(channel)
    await stream.call.write(message)
    answer = (await stream.read()).immediate_response
    return answer.status.code, answer.body.decode()


def with_headers(*fields: tuple[str, bytes]) -> ext_proc.ProcessingRequest:
    message = ext_proc.ProcessingRequest.FromString(headers(CHAT))
    for name, value in fields:
        message.request_headers.headers.headers.add(key=name, raw_value=value)
    return message


@pytest.mark.parametrize(
    "fields",
    [
        [("x-many", b"12345678")] * 10_000,
        [("x-large", CANARY.encode() * 60_000)],
        [(f"x-{CANARY}" * 5_000, b"1")],
    ],
    ids=["ten thousand", "a megabyte", "a name of 100 KB"],
)
async def test_too_many_headers_are_refused(
    channel: grpc.aio.Channel, made: Director, fields: list[tuple[str, bytes]]
) -> None:
    """Past the cap, repeated ones counted each, the client gets 431; the stream has held no more than one message."""
    status, body = await refusal(channel, with_headers(*fields))

    assert status == 431
    assert CANARY not in body
    await eventually(lambda: count(made, "chimera_streams"), 0)


@pytest.mark.parametrize("value", [b"a\0b", b"a\r\nx-chimera-model: small", b"\xff\xfe", b"", b"\xc3\xa9"])
async def test_header_values_are_opaque(channel: grpc.aio.Channel, value: bytes) -> None:
    """Whatever bytes a header holds, the request is routed, and no header that is set carries them on."""
    stream = Stream(channel)
    named = ("x-anything", wire.DESTINATION, "x-llm-d-inference-fairness-id", "x-request-id")
    await stream.call.write(with_headers(*((name, value) for name in named)))
    await stream.body(BODY, end=True)
    set_ = set_headers((await stream.read()).request_headers)

    assert set_[wire.DESTINATION] == "127.0.0.1:2"
    assert not any("\0" in text or "\r" in text or "\n" in text for text in set_.values())
    stream.call.cancel()


async def test_forged_routing_headers_are_overwritten(channel: grpc.aio.Channel) -> None:
    """However often and in whatever case a client sends the destination, one is set, and it is the picker's."""
    stream = Stream(channel)
    forged = [(wire.DESTINATION, b"6.6.6.6:1"), (wire.DESTINATION.upper(), b"6.6.6.6:2"), (wire.DESTINATION, b"")]
    await stream.call.write(with_headers(*forged))
    await stream.body(BODY, end=True)
    mutation = (await stream.read()).request_headers.response.header_mutation
    destinations = [each for each in mutation.set_headers if each.header.key == wire.DESTINATION]

    assert [each.header.raw_value for each in destinations] == [b"127.0.0.1:2"]
    assert destinations[0].append_action == destinations[0].OVERWRITE_IF_EXISTS_OR_ADD
    assert not destinations[0].header.value
    stream.call.cancel()
