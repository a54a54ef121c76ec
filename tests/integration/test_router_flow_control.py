"""Flow control over a raw gRPC stream, as a gateway sees it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import grpc
import pytest
from directors import director
from eventual import eventually
from gateways import BODY, CHAT, Stream, picker, set_headers

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.flowcontrol.types import HoldLimits

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop", "nothing_blocks")]

SLOTS = 4  # of each of the two endpoints
OBJECTIVE = wire.OBJECTIVES[1]
LARGE = BODY.replace(b"auto", b"large")  # waits for one endpoint


@pytest.fixture
def limits() -> HoldLimits:
    return HoldLimits(max_requests=2, objectives={"urgent": 5, "batch": -1})


@pytest.fixture
def made(limits: HoldLimits) -> Director:
    return director(flow_control=limits, clock=time.monotonic)


@pytest.fixture
async def channel(made: Director) -> AsyncIterator[grpc.aio.Channel]:
    async with picker(made) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened


async def asked(channel: grpc.aio.Channel, *, body: bytes = LARGE, **headers: str) -> Stream:
    """Send a chat request and return its stream, with nothing read of it."""
    stream = Stream(channel)
    await stream.headers({**CHAT, **headers})
    await stream.body(body, end=True)
    return stream


async def destination(stream: Stream) -> str:
    first, _ = await stream.read(), await stream.read()
    return set_headers(first.request_headers)[wire.DESTINATION]


async def crowded(channel: grpc.aio.Channel) -> list[Stream]:
    """Take every slot of the pool, those of the large model first."""
    streams = [await asked(channel, body=BODY) for _ in range(2 * SLOTS)]
    for stream in streams:
        await destination(stream)
    return streams


async def held(channel: grpc.aio.Channel, made: Director, **headers: str) -> Stream:
    """Ask, and return once the request waits."""
    before = len(made.holding.queue)
    stream = await asked(channel, **headers)
    await eventually(lambda: len(made.holding.queue), before + 1)
    return stream


def in_flight(made: Director) -> int:
    return sum(state.load.requests for state in made.snapshot().endpoints)


async def refusal(stream: Stream) -> tuple[int, str, int, str]:
    """Return status, reason, seconds and OpenAI's code of a refusal."""
    answer = (await stream.read()).immediate_response
    headers = {option.header.key: option.header.raw_value.decode() for option in answer.headers.set_headers}
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status.code, headers[wire.DROPPED_REASON], int(headers[wire.RETRY_AFTER]), error["code"]


async def test_request_is_held_until_an_answer_ends(channel: grpc.aio.Channel, made: Director) -> None:
    """The gateway hears nothing while every slot is taken, and gets the freed endpoint then."""
    crowd = await crowded(channel)
    stream = await held(channel, made)
    reading = asyncio.create_task(destination(stream))

    await crowd[0].headers({":status": "200"}, response=True)
    await crowd[0].read()
    assert not reading.done()
    await crowd[0].body(b"{}", end=True, response=True)
    await crowd[0].read()

    assert await reading == "127.0.0.1:2"
    assert (in_flight(made), len(made.holding.queue)) == (2 * SLOTS, 0)


async def test_slot_of_a_client_that_left_is_given_on(channel: grpc.aio.Channel, made: Director) -> None:
    """A cancelled exchange makes room as an ended one does."""
    crowd = await crowded(channel)
    stream = await held(channel, made)

    crowd[0].call.cancel()

    assert await destination(stream) == "127.0.0.1:2"


async def test_held_request_that_is_cancelled_leaves_nothing(channel: grpc.aio.Channel, made: Director) -> None:
    """The client goes away while it waits: its place, its bytes and its stream are gone."""
    await crowded(channel)
    stream = await held(channel, made)

    stream.call.cancel()

    await eventually(lambda: len(made.holding.queue), 0)
    value = made.metrics.registry.get_sample_value
    labels = {"outcome": "cancelled", "priority": "0"}
    await eventually(lambda: value("chimera_flow_control_requests_total", labels), 1)
    await eventually(lambda: value("chimera_streams"), 2 * SLOTS)
    assert (in_flight(made), made.holding._waiting) == (2 * SLOTS, {})


async def test_full_queue_is_429_with_reason_and_time(channel: grpc.aio.Channel, made: Director) -> None:
    """OpenAI's clients see a rate limit and when to come back; a header says why."""
    await crowded(channel)
    for _ in range(2):
        await held(channel, made)

    status, reason, seconds, code = await refusal(await asked(channel))

    assert (status, reason, code) == (429, "rejected-saturated", "rate_limit_exceeded")
    assert 1 <= seconds <= 60


@pytest.mark.parametrize("limits", [HoldLimits(ttl=0.05)])
async def test_time_to_live_is_429(channel: grpc.aio.Channel) -> None:
    """Who has waited long enough is told so, and to come back within the time to live."""
    await crowded(channel)

    assert await refusal(await asked(channel)) == (429, "rejected-ttl-expired", 1, "rate_limit_exceeded")


async def test_sheddable_request_is_429_at_once(channel: grpc.aio.Channel, made: Director) -> None:
    """A negative class is refused where the others wait."""
    await crowded(channel)

    status, reason, _, _ = await refusal(await asked(channel, **{OBJECTIVE: "batch"}))

    assert (status, reason, len(made.holding.queue)) == (429, "evicted-priority", 0)


async def test_higher_class_displaces_a_lower_one(channel: grpc.aio.Channel, made: Director) -> None:
    """With the queue full, the last of the lower class gets its 429 and the other one its place, and the next slot."""
    crowd = await crowded(channel)
    first = await held(channel, made)
    last = await held(channel, made)

    urgent = await asked(channel, **{OBJECTIVE: "urgent"})

    assert (await refusal(last))[:2] == (429, "evicted-priority")
    crowd[0].call.cancel()
    assert await destination(urgent) == "127.0.0.1:2"
    crowd[1].call.cancel()
    assert await destination(first) == "127.0.0.1:2"
