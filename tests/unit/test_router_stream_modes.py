"""The protocol in gateways' other ways: whole bodies, bodies not shown, answers not looked at, conformance tests."""

import json
from dataclasses import replace

import msgspec
import pytest

from chimera_router import wire
from chimera_router.errors import ProtocolViolation
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.usage import Usage
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import (
    Accounting,
    AnswerEnded,
    AnswerStarted,
    BodyMode,
    Choose,
    ChooseAny,
    ContinueRequestHeaders,
    ContinueResponseBody,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Route,
    SendImmediate,
    SendRequestHeaders,
    SendRequestTrailers,
    SendResponseHeaders,
    SendResponseTrailers,
    SendWholeRequest,
)
from chimera_router.protocol.intake import Intake
from chimera_router.protocol.rules import Rules
from chimera_router.protocol.stream import StreamMachine

RULES = Rules(catalog=Catalog(pool="p", virtual=frozenset({"p", "auto"}), pins={"small": "small"}))
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
ROUTE = Route(destination="10.0.0.1:8000", model="small", response_headers=(("x-chimera-model", "small"),))
SSE = ResponseHeaders(headers={":status": "200", "content-type": "text/event-stream"})
TOLD = (AnswerStarted(200, streamed=True), SendResponseHeaders(ROUTE.response_headers))


def headers(
    path: str = "/v1/chat/completions",
    *,
    request: BodyMode = BodyMode.FULL_DUPLEX,
    response: BodyMode = BodyMode.FULL_DUPLEX,
    end: bool = False,
    size: int = 0,
    **more: str,
) -> RequestHeaders:
    named = {":path": path, ":method": "POST", **{name.replace("_", "-"): value for name, value in more.items()}}
    return RequestHeaders(headers=named, request_mode=request, response_mode=response, end_of_stream=end, size=size)


def routed(
    *, request: BodyMode = BodyMode.FULL_DUPLEX, response: BodyMode = BodyMode.FULL_DUPLEX, look: str = "observe"
) -> StreamMachine:
    machine = StreamMachine(RULES)
    machine.feed(headers(request=request, response=response))
    machine.feed(RequestBody(BODY, end_of_stream=True))
    machine.route(msgspec.structs.replace(ROUTE, accounting=Accounting(look)))
    return machine


def refused(actions: object) -> tuple[int, str]:
    (action,) = actions  # type: ignore[misc]
    assert isinstance(action, SendImmediate)
    assert dict(action.headers)[wire.DROPPED_REASON] == json.loads(action.body)["error"]["code"]
    return action.status, json.loads(action.body)["error"]["code"]


def test_a_gateway_that_sends_bodies_whole_is_answered_at_once_and_then_with_the_body() -> None:
    """It keeps the body until its headers are answered, and takes everything else with the body's answer."""
    machine = StreamMachine(RULES)

    assert machine.feed(headers(request=BodyMode.BUFFERED)) == [ContinueRequestHeaders()]
    (asked,) = machine.feed(RequestBody(BODY, end_of_stream=True))
    assert isinstance(asked, Choose)
    (sent,) = machine.route(ROUTE)

    assert isinstance(sent, SendWholeRequest)
    told = dict(sent.headers)
    assert (sent.destination, told[wire.DESTINATION]) == (ROUTE.destination, ROUTE.destination)
    assert told[wire.CONTENT_LENGTH] == str(len(sent.data))
    assert json.loads(sent.data)["model"] == "small"


def test_whole_bodies_are_whole_without_saying_so() -> None:
    """Before trailers a body does not end its stream; the trailers are answered after it."""
    machine = StreamMachine(RULES)
    machine.feed(headers(request=BodyMode.BUFFERED))
    (asked,) = machine.feed(RequestBody(BODY))
    machine.route(ROUTE)

    assert isinstance(asked, Choose)
    assert machine.feed(RequestTrailers()) == [SendRequestTrailers()]
    assert machine.feed(SSE) == [*TOLD]


@pytest.mark.parametrize("mode", [BodyMode.STREAMED, BodyMode.NONE, BodyMode.UNKNOWN])
def test_a_body_that_a_choice_cannot_wait_for_is_refused_by_name(mode: BodyMode) -> None:
    """Piece by piece, or not at all: the gateway's operator learns what to change."""
    assert refused(StreamMachine(RULES).feed(headers(request=mode))) == (500, "unsupported_gateway")


@pytest.mark.parametrize("mode", [BodyMode.STREAMED, BodyMode.BUFFERED])
def test_answers_that_the_gateway_keeps_are_let_go_on(mode: BodyMode) -> None:
    """Only a full duplex wants its pieces back."""
    machine = routed(response=mode)
    machine.feed(SSE)

    assert machine.feed(ResponseBody(b"x")) == [ContinueResponseBody()]
    assert machine.feed(ResponseBody(b"y", end_of_stream=True)) == [ContinueResponseBody(), AnswerEnded(0, Usage())]


def test_an_answer_may_come_without_its_headers() -> None:
    """A gateway may keep them to itself."""
    machine = routed(response=BodyMode.BUFFERED)
    usage = b'{"usage":{"completion_tokens":4}}'

    assert machine.feed(ResponseBody(usage, end_of_stream=True))[-1] == AnswerEnded(4, Usage(None, 4, None))
    assert routed().feed(ResponseTrailers()) == [SendResponseTrailers(), AnswerEnded(0, Usage())]


def test_nothing_is_looked_at_where_that_is_asked_for() -> None:
    """The picker leaves after the request, so that the answer never passes it."""
    machine = routed(look="skip")

    assert (machine.done, machine.left) == (True, True)
    assert machine.feed(SSE) == []


def test_headers_alone_are_looked_at() -> None:
    """They are answered, with model and workflow on them; then the picker leaves."""
    machine = routed(response=BodyMode.STREAMED, look="headers")

    assert machine.feed(SSE) == [*TOLD]
    assert (machine.done, machine.left) == (True, True)


def test_an_answer_that_was_given_away_is_looked_at_to_its_end() -> None:
    """A gateway in full duplex has handed the body over with the headers: who left then would lose it."""
    machine = routed(look="headers")

    assert machine.feed(SSE) == [*TOLD]
    assert (machine.done, machine.left) == (False, False)


@pytest.mark.parametrize("look", ["skip", "headers", "observe"])
def test_a_stream_that_shows_no_body_is_kept(look: str) -> None:
    """Its end is then the answer's, and nothing else comes on it but headers and trailers."""
    machine = routed(response=BodyMode.NONE, look=look)

    assert machine.feed(SSE) == [*TOLD]
    assert (machine.done, machine.left, machine.shown) == (False, False, False)
    assert machine.feed(ResponseTrailers()) == [SendResponseTrailers(), AnswerEnded(0, Usage())]


def test_an_answer_that_the_picker_makes_itself_is_not_left() -> None:
    """An engine that cannot be reached is told to the client, whatever else is looked at."""
    machine = routed(look="headers")
    started, failure = machine.feed(ResponseHeaders(headers={":status": "503"}))

    assert started == AnswerStarted(503)
    assert refused([failure]) == (503, "engine_unreachable")
    assert (machine.done, machine.left) == (True, False)


def test_the_gateway_may_name_the_model() -> None:
    """By header, in the place of what the client wrote; a name that nobody has is refused as the client's would be."""
    for name in wire.MODEL_REWRITES:
        machine = StreamMachine(RULES)
        machine.feed(RequestHeaders(headers={**headers().headers, name: "small"}))
        (asked,) = machine.feed(RequestBody(BODY, end_of_stream=True))
        assert isinstance(asked, Choose)
        assert asked.pinned == "small"
    machine = StreamMachine(RULES)
    machine.feed(RequestHeaders(headers={**headers().headers, wire.MODEL_REWRITES[0]: "other"}))
    assert refused(machine.feed(RequestBody(BODY, end_of_stream=True))) == (404, "model_not_found")


def test_headers_have_a_cap() -> None:
    """Beyond it a request is refused before anything of it is kept."""
    rules = replace(RULES, limits=Limits(max_header_bytes=100))

    assert refused(StreamMachine(rules).feed(headers(size=101))) == (431, "headers_too_large")
    assert StreamMachine(rules).feed(headers(size=100)) == []


def test_a_place_is_taken_before_the_first_byte() -> None:
    """A flood of requests is refused by their headers, and a place is free again once a body was read or given up."""
    rules = replace(RULES, limits=Limits(max_reading=2), intake=Intake())
    reading, given_up = StreamMachine(rules), StreamMachine(rules)
    reading.feed(headers())
    given_up.feed(headers())

    assert refused_code(StreamMachine(rules)) == (429, "rejected-picker-full")
    reading.feed(RequestBody(BODY, end_of_stream=True))
    given_up.close()
    assert rules.intake == Intake()
    assert StreamMachine(rules).feed(headers()) == []


def refused_code(machine: StreamMachine) -> tuple[int, str]:
    (action,) = machine.feed(headers())
    assert isinstance(action, SendImmediate)
    return action.status, dict(action.headers)[wire.DROPPED_REASON]


def test_bodies_together_have_a_cap() -> None:
    """Each may be small enough and all of them too much; what was kept of the refused one is given back."""
    rules = replace(RULES, limits=Limits(max_reading_bytes=100), intake=Intake())
    first, second = StreamMachine(rules), StreamMachine(rules)
    for machine in (first, second):
        machine.feed(headers())
    first.feed(RequestBody(b"x" * 60))
    (action,) = second.feed(RequestBody(b"x" * 60))

    assert isinstance(action, SendImmediate)
    assert action.status == 429
    assert (rules.intake.requests, rules.intake.bytes) == (1, 60)


def test_a_body_that_does_not_come_is_given_up() -> None:
    """Only while it is awaited."""
    machine = StreamMachine(RULES)
    machine.feed(headers())

    assert (machine.reading, machine.begun) == (True, False)
    machine.feed(RequestBody(b"{"))
    assert (machine.reading, machine.begun) == (True, True)
    assert refused(machine.expire()) == (408, "request_timeout")
    assert routed().expire() == []


def test_conformance_tests_say_where_their_requests_go() -> None:
    """Any path, with a body or without, as it is; by the endpoints they list."""
    rules = replace(RULES, conformance=True)
    bodied, bare = StreamMachine(rules), StreamMachine(rules)
    bodied.feed(headers("/anything", test_epp_endpoint_selection="10.0.0.1, 10.0.0.2:8000"))
    (asked,) = bodied.feed(RequestBody(b"any bytes", end_of_stream=True))
    (asked_too,) = bare.feed(RequestHeaders(headers={":path": "/", ":method": "GET"}, end_of_stream=True))

    assert isinstance(asked, ChooseAny)
    assert asked.wanted == ("10.0.0.1", "10.0.0.2:8000")
    assert isinstance(asked_too, ChooseAny)
    assert asked_too.wanted == ()
    first, body = bodied.route(Route(destination="10.0.0.1:8000", model=""))
    assert (first.destination, body.data, body.end_of_stream) == ("10.0.0.1:8000", b"any bytes", True)  # type: ignore[union-attr]
    assert [type(action) for action in bare.route(Route(destination="10.0.0.1:8000", model=""))] == [SendRequestHeaders]


def test_conformance_tests_find_their_marks_on_answers() -> None:
    """The endpoint that the gateway says it used, where it says so."""
    rules = replace(RULES, conformance=True)
    machine = StreamMachine(rules)
    machine.feed(headers("/x", test_epp_endpoint_selection="10.0.0.1"))
    machine.feed(RequestBody(b"", end_of_stream=True))
    machine.route(Route(destination="10.0.0.1:8000", model=""))
    _, sent = machine.feed(ResponseHeaders(headers={":status": "200"}, served="10.0.0.1:8000"))

    assert isinstance(sent, SendResponseHeaders)
    assert sent.headers == (wire.TEST_MARK, (wire.TEST_SERVED, "10.0.0.1:8000"))


def test_outside_of_conformance_tests_their_header_means_nothing() -> None:
    """A client cannot choose its endpoint."""
    machine = StreamMachine(RULES)
    machine.feed(headers(test_epp_endpoint_selection="10.0.0.1"))
    (asked,) = machine.feed(RequestBody(BODY, end_of_stream=True))

    assert isinstance(asked, Choose)
    assert refused(StreamMachine(RULES).feed(headers("/x", test_epp_endpoint_selection="10.0.0.1")))[0] == 404


def test_a_violation_never_names_what_came() -> None:
    """Only kinds of messages, and states."""
    machine = StreamMachine(RULES)
    with pytest.raises(ProtocolViolation, match=r"^RequestBody came in state REQUEST_HEADERS$"):
        machine.feed(RequestBody(b"canary"))
