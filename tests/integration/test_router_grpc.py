"""The picker over a raw gRPC stream, as a gateway drives it."""

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
from directors import FakePredictor, director
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from eventual import eventually
from gateways import BODY, CHAT, Stream, picker, set_headers, streamed
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pools import prediction

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.errors import ConfigError
from chimera_router.extproc.health import Health
from chimera_router.extproc.paths import PROCESS
from chimera_router.extproc.server import drain, server
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop", "nothing_blocks")]


@pytest.fixture(params=list(Transport))
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


@pytest.fixture
def made() -> Director:
    return director()


@pytest.fixture
async def channel(made: Director, transport: Transport) -> AsyncIterator[grpc.aio.Channel]:
    async with picker(made, transport) as running, grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as opened:
        yield opened


def in_flight(made: Director) -> int:
    return sum(state.load.requests for state in made.snapshot().endpoints)


async def routed(channel: grpc.aio.Channel, **headers: str) -> tuple[Stream, dict[str, str], bytes]:
    """Send a chat request and return its stream, the headers set and the body sent on."""
    stream = Stream(channel)
    await stream.headers({**CHAT, **{name.replace("_", "-"): value for name, value in headers.items()}})
    await stream.body(BODY)
    await stream.body(b"", end=True)
    first, second = await stream.read(), await stream.read()
    headers_set = set_headers(first.request_headers)
    assert first.dynamic_metadata[wire.DESTINATION_NAMESPACE][wire.DESTINATION] == headers_set[wire.DESTINATION]
    body, end = streamed(second, "request")
    assert end
    return stream, headers_set, body


async def test_destination_is_set_by_header_and_metadata(channel: grpc.aio.Channel) -> None:
    """Both carry the same endpoint, and the body names the engine's model."""
    _, headers, body = await routed(channel)

    assert headers[wire.DESTINATION] == "127.0.0.1:2"
    assert json.loads(body)["model"] == "large"


async def test_answer_passes_chunk_by_chunk(channel: grpc.aio.Channel, made: Director) -> None:
    """Each chunk of the answer comes back at once; at the end nothing is in flight and the tokens are known."""
    stream, _, _ = await routed(channel)
    await stream.headers({":status": "200", "content-type": "text/event-stream"}, response=True)
    headers = set_headers((await stream.read()).response_headers)
    usage = b'data: {"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n'

    for data, end in ((b'data: {"x":1}\n\n', False), (usage, False), (b"", True)):
        await stream.body(data, end=end, response=True)
        assert streamed(await stream.read(), "response") == (data, end)

    assert headers[wire.MODEL] == "large"
    await eventually(lambda: in_flight(made), 0)
    assert made.metrics.registry.get_sample_value("chimera_output_tokens_sum", {"model": "large"}) == 5


async def test_cancelled_stream_releases_what_it_holds(channel: grpc.aio.Channel, made: Director) -> None:
    """A client that goes away in the middle of its answer leaves nothing in flight."""
    stream, _, _ = await routed(channel)
    during = in_flight(made)

    stream.call.cancel()

    await eventually(lambda: in_flight(made), 0)
    assert during == 1
    await eventually(lambda: made.metrics.registry.get_sample_value("chimera_streams"), 0)


async def test_gateway_may_finish_after_the_request(channel: grpc.aio.Channel, made: Director) -> None:
    """A gateway without a response phase closes its side; the stream ends cleanly, and the answer goes on unseen."""
    stream, _, _ = await routed(channel)

    await stream.call.done_writing()

    assert await stream.call.read() is grpc.aio.EOF
    assert await stream.call.code() is grpc.StatusCode.OK
    await eventually(lambda: (in_flight(made), len(made.unseen)), (1, 1))
    made.unseen.tick(made.clock() + 3600.0)
    assert in_flight(made) == 0


async def test_subset_hint_binds(channel: grpc.aio.Channel) -> None:
    """Only the endpoints that the gateway lists are chosen, as a list or as one string."""
    for hint in (["127.0.0.1:1"], "127.0.0.1:1, 127.0.0.1:9"):
        stream = Stream(channel)
        message = ext_proc.ProcessingRequest(request_headers=ext_proc.HttpHeaders())
        for key, value in CHAT.items():
            message.request_headers.headers.headers.add(key=key, raw_value=value.encode())
        message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE].update({wire.SUBSET: hint})
        await stream.call.write(message)
        await stream.body(BODY, end=True)

        assert set_headers((await stream.read()).request_headers)[wire.DESTINATION] == "127.0.0.1:1"


async def test_empty_subset_is_refused(channel: grpc.aio.Channel) -> None:
    """A hint that allows nobody of the pool gives 503."""
    stream = Stream(channel)
    message = ext_proc.ProcessingRequest(request_headers=ext_proc.HttpHeaders())
    for key, value in CHAT.items():
        message.request_headers.headers.headers.add(key=key, raw_value=value.encode())
    message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE].update({wire.SUBSET: []})
    await stream.call.write(message)
    await stream.body(BODY, end=True)

    assert (await stream.read()).immediate_response.status.code == 503


async def test_immediate_answer_carries_the_error(channel: grpc.aio.Channel) -> None:
    """A refusal is status, content type and OpenAI's error object."""
    stream = Stream(channel)
    await stream.headers(CHAT)
    await stream.body(b"no json", end=True)

    answer = (await stream.read()).immediate_response

    assert answer.status.code == 400
    assert json.loads(answer.body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("first", ["body", "response", "empty", "garbage"])
async def test_disorder_ends_the_stream_without_details(channel: grpc.aio.Channel, made: Director, first: str) -> None:
    """A message that cannot come now ends the stream; the peer is told nothing of what it sent."""
    call = channel.stream_stream(PROCESS)()
    messages = {
        "body": ext_proc.ProcessingRequest(request_body=ext_proc.HttpBody(body=b"canary")).SerializeToString(),
        "response": ext_proc.ProcessingRequest(response_headers=ext_proc.HttpHeaders()).SerializeToString(),
        "empty": b"",
        "garbage": b"\xffcanary",
    }
    await call.write(messages[first])

    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "canary" not in (await call.details() or "")
    assert made.metrics.registry.get_sample_value("chimera_protocol_violations_total") == 1


async def test_streams_are_independent(transport: Transport) -> None:
    """A hundred exchanges at once each get their own answer."""
    made = director(FakePredictor(small=prediction(0.4), large=prediction(0.9)))
    async with picker(made, transport) as running, grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        results = await asyncio.gather(*(routed(channel) for _ in range(100)))
        assert in_flight(made) == 100
        for stream, _, _ in results:
            stream.call.cancel()
        await eventually(lambda: in_flight(made), 0)


@pytest.mark.parametrize("service", wire.HEALTH_SERVICES)
async def test_health_answers_every_name(channel: grpc.aio.Channel, service: str) -> None:
    """Gateways and probes ask by different names; all are served."""
    health = health_pb2_grpc.HealthStub(channel)

    answer = await health.Check(health_pb2.HealthCheckRequest(service=service))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_stopping_server_says_so_and_lets_streams_end(transport: Transport) -> None:
    """While it drains, health says NOT_SERVING and an open exchange still gets its answer."""
    made, health = director(), Health()
    running = server(transport, made, health, host="127.0.0.1", port=0, certificates=None)
    await running.start()
    health.say(serving=True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        stream, _, _ = await routed(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service="readiness"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stopping = asyncio.create_task(drain(running, health, grace=5.0))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()

        await stream.headers({":status": "200"}, response=True)
        await stream.read()
        await stream.body(b"done", end=True, response=True)

        assert streamed(await stream.read(), "response") == (b"done", True)
        await stopping


async def test_taken_port_is_named(transport: Transport) -> None:
    """A second picker on the port is refused by name."""
    made = director()
    async with picker(made, transport) as first:
        with pytest.raises(ConfigError, match=f"127.0.0.1:{first.port}: the port cannot be bound"):
            await server(transport, made, Health(), host="127.0.0.1", port=first.port, certificates=None).start()
