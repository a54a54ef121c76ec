"""Exchanges, probes and access logs over the picker's own transport, without a socket."""

import asyncio
import json

import pytest
from callers import framed
from directors import Clock, FakePredictor, director
from gateways import BODY, CHAT
from grpc_health.v1 import health_pb2
from peers import data
from pools import prediction
from sessions import Connected, headers, piece

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.extproc.health import NOT_SERVING, SERVING, UNKNOWN, Health
from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.native import NativeServer
from chimera_router.extproc.paths import CHECK, LOG, PROCESS, WATCH
from chimera_router.extproc.rpc import Status

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor(small=prediction(0.4), large=prediction(0.9))


@pytest.fixture
def made(predictor: FakePredictor, clock: Clock) -> Director:
    return director(predictor, clock=clock)


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def server(made: Director, health: Health) -> NativeServer:
    return NativeServer(made, health, host="127.0.0.1", port=0)


@pytest.fixture
async def connected(server: NativeServer) -> Connected:
    return Connected(server)


def in_flight(made: Director) -> int:
    return sum(state.load.requests for state in made.snapshot().endpoints)


def streams(made: Director) -> float | None:
    return made.metrics.registry.get_sample_value("chimera_streams")


def request(number: int) -> bytes:
    """Return the frames of a whole request on a stream that is open."""
    return data(number, framed(headers(CHAT)) + framed(piece(BODY, end=True)))


def immediate(connected: Connected, number: int) -> tuple[int, str]:
    answer = connected.told(number)[-1].immediate_response
    return answer.status.code, json.loads(answer.body)["error"]["code"]


async def test_requests_of_one_read_are_answered_in_it(connected: Connected, made: Director) -> None:
    """Choice and answer need no task where nobody has to be waited for."""
    number = connected.ask()

    first, second = connected.told(number)
    assert first.HasField("request_headers")
    assert json.loads(second.request_body.response.body_mutation.streamed_response.body)["model"] == "large"
    assert in_flight(made) == 1


async def test_answer_passes_and_ends_the_exchange(connected: Connected, made: Director) -> None:
    """After the last piece the picker ends the call, and nothing is held."""
    number = connected.ask()
    answer = headers({":status": "200"}, response=True), piece(b"data", response=True, end=True)
    connected.caller.say(number, *answer)

    assert connected.told(number)[-1].response_body.response.body_mutation.streamed_response.body == b"data"
    assert connected.caller.answers[number].status == Status.OK
    assert (in_flight(made), streams(made), len(connected.session.connection)) == (0, 0, 0)


async def test_what_comes_before_the_choice_waits(connected: Connected, predictor: FakePredictor) -> None:
    """Where a choice takes time, messages and the end wait for it, in their order."""
    predictor.prompt = False
    number = connected.ask()
    connected.caller.say(number, piece(b"", end=True), headers({":status": "200"}, response=True))
    connected.caller.say(number, piece(b"data", response=True, end=True), end=True)
    assert connected.told(number) == []

    await asyncio.sleep(0)
    await asyncio.sleep(0)

    kinds = [message.WhichOneof("response") for message in connected.told(number)]
    assert kinds == ["request_headers", "request_body", "response_headers", "response_body"]
    assert connected.caller.answers[number].status == Status.OK


async def test_cancelled_while_choosing_holds_nothing(
    connected: Connected, predictor: FakePredictor, made: Director
) -> None:
    """The choice is given up with its request."""
    predictor.prompt = False
    number = connected.ask()
    connected.caller.cancel(number)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert (in_flight(made), streams(made), connected.told(number)) == (0, 0, [])


async def test_cancelled_in_the_read_that_asks_is_not_chosen_for(connected: Connected, made: Director) -> None:
    """A request and its cancellation in one read cost no choice."""
    number = connected.caller.open(PROCESS)
    asked = len(made.pool.predictor.asked)  # type: ignore[attr-defined]
    connected.receive(request(number) + frames.rst_stream(number, Code.CANCEL))

    assert len(made.pool.predictor.asked) == asked  # type: ignore[attr-defined]
    assert (in_flight(made), streams(made)) == (0, 0)


async def test_lost_connection_releases_everything(connected: Connected, made: Director) -> None:
    """Whatever its streams were in the middle of."""
    connected.ask()
    connected.ask(end=False)
    connected.caller.open(PROCESS)
    assert streams(made) == 3

    connected.lose()

    assert (in_flight(made), streams(made)) == (0, 0)
    assert (made.rules.intake.requests, made.rules.intake.bytes) == (0, 0)


async def test_gateway_that_ends_its_side_ends_the_call(connected: Connected, made: Director) -> None:
    """After the choice the answer goes on unseen; before it nothing has begun."""
    number = connected.ask()
    connected.caller.say(number, end=True)
    early = connected.ask(end=False)
    connected.caller.say(early, end=True)

    assert [connected.caller.answers[each].status for each in (number, early)] == [Status.OK, Status.OK]
    assert (in_flight(made), len(made.unseen), streams(made)) == (1, 1, 0)


async def test_half_a_message_is_no_good_end(connected: Connected, made: Director) -> None:
    """A gateway that breaks off in the middle of a message has broken off: its request is released."""
    number = connected.ask()
    connected.receive(data(number, framed(b"half")[:6], end=True))
    connected.caller.read()

    assert connected.caller.answers[number].status == Status.INTERNAL
    assert (in_flight(made), len(made.unseen), streams(made)) == (0, 0, 0)


@pytest.mark.parametrize("sent", [b"\xffcanary", piece(b"canary"), headers({":status": "200"}, response=True)])
async def test_violations_end_the_call_without_details(connected: Connected, made: Director, sent: bytes) -> None:
    """A message that cannot come now, or is none, is answered by a status and nothing of what it said."""
    number = connected.caller.open(PROCESS)
    connected.caller.say(number, sent)

    answer = connected.caller.answers[number]
    assert (answer.status, answer.fields["grpc-message"]) == (Status.INVALID_ARGUMENT, "invalid argument")
    assert made.metrics.registry.get_sample_value("chimera_protocol_violations_total") == 1
    assert streams(made) == 0


async def test_fault_of_ours_ends_one_stream(connected: Connected, predictor: FakePredictor) -> None:
    """Where a choice fails for a reason of ours its stream ends, and no other of the same read."""
    predictor.faulty = 1
    one, other = connected.caller.open(PROCESS), connected.caller.open(PROCESS)
    connected.receive(request(one) + request(other))
    connected.caller.read()

    assert connected.caller.answers[one].status == Status.INTERNAL
    assert connected.caller.answers[one].fields["grpc-message"] == "internal"
    assert len(connected.told(other)) == 2


async def test_fault_of_ours_in_a_choice_that_waits_ends_its_stream(
    connected: Connected, predictor: FakePredictor
) -> None:
    """So it does where a task makes the choice."""
    predictor.prompt, predictor.faulty = False, 1
    number = connected.ask()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connected.caller.read()

    assert connected.caller.answers[number].status == Status.INTERNAL


async def test_fault_of_ours_elsewhere_ends_the_connection(
    connected: Connected, made: Director, predictor: FakePredictor, capfd: pytest.CaptureFixture[str]
) -> None:
    """What nobody else catches is told as INTERNAL_ERROR, and logged without its words."""
    predictor.broken = ZeroDivisionError("canary")
    connected.ask()

    assert connected.wire.state == "closed"
    assert streams(made) == 0
    assert "canary" not in "".join(capfd.readouterr())


async def test_body_that_does_not_come_is_given_up(
    connected: Connected, server: NativeServer, made: Director, clock: Clock
) -> None:
    """Its client gets 408 once its time is over, and the place that it held is free."""
    number = connected.ask(b"{", end=False)
    clock.now += made.pool.settings.limits.body_seconds - 1
    server.sweep()
    assert connected.told(number) == []

    clock.now += 1
    server.sweep()

    assert immediate(connected, number)[0] == 408
    assert connected.caller.answers[number].status == Status.OK
    assert (made.rules.intake.requests, streams(made)) == (0, 0)


async def test_stream_without_a_word_is_given_up(
    connected: Connected, server: NativeServer, made: Director, clock: Clock
) -> None:
    """A gateway opens a stream when it has something to say: one that says nothing holds a place for no one."""
    number = connected.caller.open(PROCESS)
    clock.now += made.pool.settings.limits.first_byte_seconds
    server.sweep()

    assert immediate(connected, number)[0] == 408
    assert (streams(made), server.allowance.calls) == (0, 0)


async def test_deadline_that_the_gateway_states_binds(connected: Connected, made: Director) -> None:
    """At it the call ends, in the middle of whatever it was."""
    number = connected.caller.open(PROCESS, grpc_timeout="1m")
    connected.caller.say(number, headers(CHAT))
    async with asyncio.timeout(10):
        while connected.caller.answers[number].status is None:
            await asyncio.sleep(0.001)
            connected.caller.read()

    assert connected.caller.answers[number].status == Status.DEADLINE_EXCEEDED
    assert (made.rules.intake.requests, streams(made)) == (0, 0)


# --- health ---


def question(service: str) -> bytes:
    asked: bytes = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return asked


@pytest.mark.parametrize("service", wire.HEALTH_SERVICES)
async def test_check_answers_every_name(connected: Connected, health: Health, service: str) -> None:
    """By whatever name gateways and probes ask; being alive is not being ready."""
    number, later = connected.caller.open(CHECK), connected.caller.open(CHECK)
    connected.caller.say(number, question(service), end=True)
    health.say(serving=True)
    connected.caller.say(later, question(service))
    connected.caller.say(later, end=True)

    before = SERVING if service == wire.LIVENESS else NOT_SERVING
    assert [connected.caller.answers[each].messages for each in (number, later)] == [[before], [SERVING]]
    assert [connected.caller.answers[each].status for each in (number, later)] == [Status.OK, Status.OK]
    assert connected.caller.answers[later].stopped is None


async def test_check_of_an_unknown_name_is_not_found(connected: Connected) -> None:
    """As the health protocol has it."""
    number = connected.caller.open(CHECK)
    connected.caller.say(number, question("other"), end=True)

    assert connected.caller.answers[number].status == Status.NOT_FOUND


@pytest.mark.parametrize("messages", [(), (b"\xff",), (b"", b""), (b"",) * 1_000])
async def test_check_takes_one_question(
    connected: Connected, server: NativeServer, messages: tuple[bytes, ...]
) -> None:
    """None, two, or one that cannot be read are answered by a status."""
    number = connected.caller.open(CHECK)
    connected.caller.say(number, *messages, end=True)

    assert connected.caller.answers[number].status == Status.INVALID_ARGUMENT
    assert (server.allowance.calls, server.allowance.kept) == (0, 0)


async def test_watch_tells_what_is_and_what_changes(connected: Connected, health: Health) -> None:
    """Also after the client has said its last, until it gives up; an unknown name is told so."""
    number, other = connected.caller.open(WATCH), connected.caller.open(WATCH)
    connected.caller.say(number, question("readiness"), end=True)
    connected.caller.say(other, question("other"))
    health.say(serving=True)
    health.say(serving=True)
    health.say(serving=False)
    connected.caller.cancel(number)
    health.say(serving=True)
    connected.caller.read()

    assert connected.caller.answers[number].messages == [NOT_SERVING, SERVING, NOT_SERVING]
    assert connected.caller.answers[other].messages == [UNKNOWN] * 4


@pytest.mark.parametrize("messages", [(), (b"\xff",), (b"", b"")])
async def test_watch_takes_one_question(connected: Connected, health: Health, messages: tuple[bytes, ...]) -> None:
    """None, two, or one that cannot be read end it, and nobody watches any more."""
    number = connected.caller.open(WATCH)
    connected.caller.say(number, *messages, end=True)

    assert connected.caller.answers[number].status == Status.INVALID_ARGUMENT
    assert health.watchers == 0


async def test_watchers_that_are_lost_are_forgotten(server: NativeServer, health: Health) -> None:
    """All of them, whether they are one or ten thousand."""
    connected = Connected(server)
    for _ in range(10_000):
        connected.caller.say(connected.caller.open(WATCH), question("readiness"))
    assert health.watchers == 10_000

    connected.lose()

    assert (health.watchers, server.allowance.calls) == (0, 0)


# --- access log ---


async def test_access_log_is_taken_until_its_end(connected: Connected) -> None:
    """It is answered once, when the gateway has no more to log."""
    number = connected.caller.open(LOG)
    connected.caller.say(number, b"", b"")
    assert connected.caller.answers[number].status is None
    connected.caller.say(number, end=True)

    assert connected.caller.answers[number].messages == [b""]
    assert connected.caller.answers[number].status == Status.OK


async def test_access_log_that_cannot_be_read_ends(connected: Connected) -> None:
    """A message that is none ends the stream."""
    number = connected.caller.open(LOG)
    connected.caller.say(number, b"\xff")

    assert connected.caller.answers[number].status == Status.INVALID_ARGUMENT
