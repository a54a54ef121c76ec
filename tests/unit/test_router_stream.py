"""The protocol as a table of conversations: what the gateway says, what it is told."""

import json

import pytest

from chimera_router import wire
from chimera_router.errors import NoEndpoints, Overloaded, ProtocolViolation, UnknownResponse
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.parsing.usage import Usage
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import (
    AnswerEnded,
    AnswerProgressed,
    AnswerStarted,
    AnswerTold,
    Choose,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Route,
    SendImmediate,
    SendRequestBody,
    SendRequestHeaders,
    SendRequestTrailers,
    SendResponseBody,
    SendResponseHeaders,
    SendResponseTrailers,
)
from chimera_router.protocol.rules import Rules
from chimera_router.protocol.stream import StreamMachine
from chimera_router.scheduling.types import DropReason

CATALOG = Catalog(pool="assistants", virtual=frozenset({"assistants", "auto"}), pins={"small": "small", "s": "small"})
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
ROUTE = Route(destination="10.0.0.1:8000", model="small", priority=7, response_headers=(("x-chimera-model", "small"),))


def headers(path: str = "/v1/chat/completions", method: str = "POST", **more: str) -> RequestHeaders:
    return RequestHeaders(headers={":path": path, ":method": method, **more})


def get(path: str) -> RequestHeaders:
    return RequestHeaders(headers={":path": path, ":method": "GET"}, end_of_stream=True)


def machine(*fed: Event, limits: Limits | None = None) -> StreamMachine:
    made = StreamMachine(Rules(catalog=CATALOG, limits=limits or Limits()))
    for event in fed:
        made.feed(event)
    return made


def routed(*, trailers: bool = False) -> StreamMachine:
    end = RequestTrailers() if trailers else RequestBody(b"", end_of_stream=True)
    made = machine(headers(), RequestBody(BODY), end)
    made.route(ROUTE)
    return made


def refusal(actions: list[object]) -> tuple[int, dict[str, object]]:
    (action,) = actions
    assert isinstance(action, SendImmediate)
    assert action.headers[0] == ("content-type", "application/json")
    return action.status, json.loads(action.body)["error"]


def test_nothing_is_answered_before_the_body_has_ended() -> None:
    """Headers and body pieces wait until the whole request is known."""
    made = machine()

    assert [made.feed(headers()), made.feed(RequestBody(BODY[:5])), made.feed(RequestBody(BODY[5:]))] == [[], [], []]


def test_end_of_body_asks_for_a_choice() -> None:
    """The last piece, empty or not, asks where the request goes."""
    (asked,) = machine(headers(), RequestBody(BODY)).feed(RequestBody(b"", end_of_stream=True))

    assert isinstance(asked, Choose)
    assert (asked.request.model, asked.pinned, asked.subset) == ("auto", None, None)


def test_member_of_the_pool_is_pinned_by_any_of_its_names() -> None:
    """An alias pins its model under the canonical name."""
    (asked,) = machine(headers()).feed(RequestBody(BODY.replace(b"auto", b"s"), end_of_stream=True))

    assert isinstance(asked, Choose)
    assert asked.pinned == "small"


def test_route_sends_headers_then_the_rewritten_body() -> None:
    """The destination goes by header; the body carries the engine's model name and the priority."""
    made = machine(headers(), RequestBody(BODY, end_of_stream=True))

    first, second = made.route(ROUTE)

    assert isinstance(first, SendRequestHeaders)
    assert isinstance(second, SendRequestBody)
    assert (first.destination, dict(first.headers)[wire.DESTINATION]) == ("10.0.0.1:8000", "10.0.0.1:8000")
    assert dict(first.headers)["content-length"] == str(len(second.data))
    assert (json.loads(second.data)["model"], json.loads(second.data)["priority"]) == ("small", 7)
    assert second.end_of_stream


def test_large_body_goes_on_in_pieces_with_one_end() -> None:
    """No piece is larger than gateways take, and only the last one ends the body."""
    text = "x" * 200_000
    made = machine(headers(), RequestBody(BODY.replace(b"hi", text.encode()), end_of_stream=True))

    _, *pieces = made.route(ROUTE)

    bodies = [piece for piece in pieces if isinstance(piece, SendRequestBody)]
    assert max(len(piece.data) for piece in bodies) <= 62_000
    assert [piece.end_of_stream for piece in bodies] == [False] * (len(bodies) - 1) + [True]
    assert text in b"".join(piece.data for piece in bodies).decode()


def test_trailers_end_the_body_in_its_place() -> None:
    """With trailers the body never says it has ended; the trailers' answer comes last."""
    made = machine(headers(), RequestBody(BODY))
    (asked,) = made.feed(RequestTrailers())
    sent = made.route(ROUTE)

    assert isinstance(asked, Choose)
    assert [type(action) for action in sent] == [SendRequestHeaders, SendRequestBody, SendRequestTrailers]
    assert not [action for action in sent if isinstance(action, SendRequestBody) and action.end_of_stream]


def test_second_end_of_the_request_is_ignored() -> None:
    """Envoy may end a large body twice."""
    assert routed().feed(RequestBody(b"", end_of_stream=True)) == []


def test_answer_passes_untouched_and_is_accounted() -> None:
    """Each piece of the answer goes on at once; status, progress and the end are reported."""
    made = routed()
    piece = b'data: {"choices":[]}\n\n'
    usage = b'data: {"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n'

    started = made.feed(ResponseHeaders(headers={":status": "200", "content-type": "text/event-stream"}, served="x:1"))
    progressed = made.feed(ResponseBody(piece))
    ended = [made.feed(ResponseBody(usage)), made.feed(ResponseBody(b"", end_of_stream=True))][-1]

    assert started == [AnswerStarted(200, "x:1", streamed=True), SendResponseHeaders(ROUTE.response_headers)]
    assert progressed == [SendResponseBody(piece, end_of_stream=False), AnswerProgressed(1)]
    assert ended == [SendResponseBody(b"", end_of_stream=True), AnswerEnded(5, Usage(3, 5, None))]
    assert made.done


CHAT = b'{"choices":[{"message":{"content":"hello"}}]}'
SAID = Answer((Reply("hello"),))


def started(status: str = "200") -> StreamMachine:
    made = routed()
    made.feed(ResponseHeaders(headers={":status": status, "content-type": "application/json"}))
    return made


def test_what_was_said_is_told_before_the_client_has_it() -> None:
    """A client may go on from an answer before the stream has ended, so the picker has to know it first."""
    made = started()

    told = made.feed(ResponseBody(CHAT))
    ended = made.feed(ResponseBody(b"", end_of_stream=True))

    assert told[:2] == [AnswerTold(0, SAID), SendResponseBody(CHAT, end_of_stream=False)]
    assert ended == [SendResponseBody(b"", end_of_stream=True), AnswerEnded(0, Usage())]


def test_a_stream_is_told_with_its_end_mark() -> None:
    """It may come in the last piece of all, or with trailers after it."""
    event = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n'
    marked, unmarked = started(), started()
    unmarked.feed(ResponseBody(event))

    assert marked.feed(ResponseBody(event + b"data: [DONE]\n\n", end_of_stream=True))[0] == AnswerTold(1, SAID)
    assert unmarked.feed(ResponseTrailers())[0] == AnswerTold(1, SAID)


def test_an_error_tells_nothing() -> None:
    """Nobody goes on from it, whatever it holds."""
    actions = started("429").feed(ResponseBody(CHAT, end_of_stream=True))

    assert not any(isinstance(action, AnswerTold) for action in actions)


def test_responses_are_served() -> None:
    """Their path takes the same way as a chat's."""
    body = b'{"model":"auto","input":"hi","previous_response_id":"resp_1"}'
    (asked,) = machine(headers("/v1/responses")).feed(RequestBody(body, end_of_stream=True))

    assert isinstance(asked, Choose)
    assert asked.request.previous == "resp_1"


def test_an_unknown_response_is_refused_as_openai_does() -> None:
    """With its status, code and parameter."""
    made = machine(headers("/v1/responses"), RequestBody(b'{"model":"auto","input":"hi"}', end_of_stream=True))

    status, error = refusal([*made.refuse(UnknownResponse())])

    assert (status, error["code"], error["param"]) == (400, "previous_response_not_found", "previous_response_id")


def test_answer_without_a_body_ends_with_its_headers() -> None:
    """Headers that end the stream end the account."""
    made = routed()

    *_, last = made.feed(ResponseHeaders(headers={":status": "204"}, end_of_stream=True))

    assert (last, made.done) == (AnswerEnded(0, Usage()), True)


def test_answer_with_trailers_ends_with_them() -> None:
    """Trailers are answered and end the account."""
    made = routed()
    made.feed(ResponseHeaders(headers={":status": "200"}))
    made.feed(ResponseBody(b"x"))

    assert made.feed(ResponseTrailers()) == [SendResponseTrailers(), AnswerEnded(0, Usage())]


def test_engines_own_error_passes() -> None:
    """An engine's JSON error reaches the client as the engine said it."""
    made = routed()

    actions = made.feed(ResponseHeaders(headers={":status": "500", "content-type": "application/json"}))

    assert actions == [AnswerStarted(500), SendResponseHeaders(ROUTE.response_headers)]


def test_gateways_failure_is_told_in_the_clients_format() -> None:
    """Where the gateway could not reach the engine, the client gets OpenAI's error shape."""
    started, failure = routed().feed(ResponseHeaders(headers={":status": "503", "content-type": "text/plain"}))

    assert started == AnswerStarted(503)
    assert refusal([failure]) == (
        503,
        {
            "message": "The engine did not answer; try again",
            "type": "server_error",
            "param": None,
            "code": "engine_unreachable",
        },
    )


def test_models_are_listed_pool_first() -> None:
    """`GET /v1/models` names the pool and its members."""
    (listing,) = machine().feed(get("/v1/models"))

    assert isinstance(listing, SendImmediate)
    assert (listing.status, [entry["id"] for entry in json.loads(listing.body)["data"]]) == (
        200,
        ["assistants", "small"],
    )


def test_one_model_is_described_by_any_of_its_names() -> None:
    """`GET /v1/models/NAME` answers for aliases too."""
    (entry,) = machine().feed(get("/v1/models/s"))

    assert isinstance(entry, SendImmediate)
    assert json.loads(entry.body)["id"] == "small"


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        pytest.param(get("/v1/models/other"), 404, "model_not_found", id="no such model"),
        pytest.param(get("/pause"), 404, "unknown_url", id="an engine's own path"),
        pytest.param(headers("/v1/embeddings"), 404, "unknown_url", id="an API not served"),
        pytest.param(headers("/v1/chat/completions/../../pause"), 404, "unknown_url", id="a path that climbs"),
        pytest.param(get("/v1/chat/completions"), 405, "method_not_allowed", id="GET on chat"),
        pytest.param(headers("/v1/models"), 405, "method_not_allowed", id="POST on models"),
        pytest.param(
            RequestHeaders(headers={":path": "/v1/chat/completions", ":method": "POST"}, end_of_stream=True),
            400,
            "invalid_request",
            id="no body",
        ),
        pytest.param(headers(**{"content-length": "99999999"}), 413, "request_too_large", id="declared too large"),
    ],
)
def test_headers_alone_can_be_refused(event: RequestHeaders, status: int, code: str) -> None:
    """What cannot be served is refused before any body is collected."""
    made = machine()

    found, error = refusal(list(made.feed(event)))

    assert (found, error["code"], made.done) == (status, code, True)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"no healthy upstream", 400, "invalid_request", id="not json"),
        pytest.param(BODY.replace(b"auto", b"other"), 404, "model_not_found", id="unknown model"),
    ],
)
def test_body_can_be_refused(body: bytes, status: int, code: str) -> None:
    """A body that breaks a rule is refused in OpenAI's shape."""
    found, error = refusal(list(machine(headers()).feed(RequestBody(body, end_of_stream=True))))

    assert (found, error["code"]) == (status, code)


def test_body_over_the_cap_is_refused_while_it_comes() -> None:
    """The cap counts over all pieces and does not wait for the end."""
    made = machine(headers(), RequestBody(b"x" * 60), limits=Limits(max_body_bytes=100))

    assert refusal(list(made.feed(RequestBody(b"x" * 60))))[0] == 413


def test_query_is_not_part_of_the_path() -> None:
    """A client may add a query."""
    assert machine().feed(headers("/v1/chat/completions?beta=1")) == []


def test_refused_choice_says_why() -> None:
    """Without endpoints the client gets 503 and the reason as a header."""
    made = machine(headers(), RequestBody(BODY, end_of_stream=True))

    (action,) = made.refuse(NoEndpoints(reason=DropReason.NO_ENDPOINTS))

    assert isinstance(action, SendImmediate)
    assert (action.status, dict(action.headers)[wire.DROPPED_REASON]) == (503, "rejected-no-endpoints")


@pytest.mark.parametrize(
    ("reason", "header"),
    [
        (DropReason.CAPACITY, "rejected-saturated"),
        (DropReason.TTL_EXPIRED, "rejected-ttl-expired"),
        (DropReason.SHED, "evicted-priority"),
    ],
)
def test_overload_is_a_rate_limit(reason: DropReason, header: str) -> None:
    """OpenAI's clients get 429, the reason and the seconds after which to come back, each for machines to read."""
    made = machine(headers(), RequestBody(BODY, end_of_stream=True))

    (action,) = made.refuse(Overloaded(reason=reason, retry_after=7))

    assert isinstance(action, SendImmediate)
    told = dict(action.headers)
    assert (action.status, told[wire.DROPPED_REASON], told["retry-after"]) == (429, header, "7")
    error = json.loads(action.body)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")


def test_after_the_end_nothing_is_answered() -> None:
    """Whatever still comes after an immediate answer is ignored."""
    made = machine(get("/pause"))

    assert made.feed(RequestBody(b"x", end_of_stream=True)) == []


@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param([RequestBody(b"x")], id="body first"),
        pytest.param([headers(), headers()], id="headers twice"),
        pytest.param([RequestTrailers()], id="trailers only"),
        pytest.param([ResponseHeaders(headers={":status": "200"})], id="response before request"),
        pytest.param([headers(), ResponseBody(b"x")], id="response body in the request"),
        pytest.param([headers(), RequestBody(BODY, end_of_stream=True), RequestBody(b"y")], id="body after its end"),
    ],
)
def test_order_is_enforced(sequence: list[Event]) -> None:
    """A message out of order ends the stream as a violation."""
    made = machine(*sequence[:-1])

    with pytest.raises(ProtocolViolation):
        made.feed(sequence[-1])


def test_route_needs_a_question() -> None:
    """A route that nobody asked for is a violation."""
    with pytest.raises(ProtocolViolation):
        machine(headers()).route(ROUTE)
