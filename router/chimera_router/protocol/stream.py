"""One ext_proc stream: the order of messages, the body's collection, the answer's passage.

Knows nothing of gRPC, of time or of how a choice is made. Between `Choose` and `route` or `refuse` the shell takes as
long as it likes, and keeps back what the gateway says meanwhile.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, ClassVar

from chimera_router import wire
from chimera_router.errors import (
    InvalidRequest,
    ProtocolViolation,
    RequestError,
    TooSlow,
    UnknownPath,
    UnsupportedGateway,
    WrongMethod,
)
from chimera_router.parsing.openai import Api, ParsedRequest, parse
from chimera_router.parsing.rewriting import rewrite
from chimera_router.protocol import mutations
from chimera_router.protocol.answer import AnswerPassage
from chimera_router.protocol.events import (
    Accounting,
    Action,
    AnswerEnded,
    BodyMode,
    Choose,
    ChooseAny,
    ContinueRequestHeaders,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Route,
    Send,
    SendRequestBody,
    SendRequestHeaders,
    SendRequestTrailers,
    SendResponseHeaders,
    SendWholeRequest,
)
from chimera_router.protocol.rules import Rules

MODELS = "/v1/models"

_CONTINUE = ContinueRequestHeaders()


class _State(Enum):
    REQUEST_HEADERS = auto()
    REQUEST_BODY = auto()
    CHOOSING = auto()
    ROUTED = auto()
    ANSWERED = auto()
    DONE = auto()


class StreamMachine:
    """Feeds on one stream's events, in order, and says what to do about each. `close` must be called at its end."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._state = _State.REQUEST_HEADERS
        self._api: Api | None = None
        self._asked = RequestHeaders(headers={})
        self._body = bytearray()
        self._reading = False
        self._request: ParsedRequest | None = None
        self._named = ""
        self._trailers = False
        self._route: Route | None = None
        self._answer: AnswerPassage | None = None
        self._left = False

    @property
    def done(self) -> bool:
        """Whether the exchange is over for the picker: nothing the gateway still says will be answered."""
        return self._state is _State.DONE

    @property
    def reading(self) -> bool:
        """Whether the request is still to come, or its rest."""
        return self._reading or self._state is _State.REQUEST_HEADERS

    @property
    def begun(self) -> bool:
        """Whether the first bytes of the body have come. A gateway that sends it whole keeps them until the last."""
        return bool(self._body) or self._asked.request_mode is BodyMode.BUFFERED

    @property
    def left(self) -> bool:
        """Whether the picker ended the exchange because no more of the answer was to be seen."""
        return self._left

    @property
    def shown(self) -> bool:
        """Whether the gateway shows the answer's body."""
        return self._asked.response_mode is not BodyMode.NONE

    def feed(self, event: Event) -> list[Action]:
        """Return what to do about an event, in order.

        Raises:
            ProtocolViolation: The event cannot come now.
        """
        if self._state is _State.DONE:
            return []
        try:
            return self._TAKES[type(event)](self, event)
        except RequestError as error:
            return [*self.refuse(error)]

    def route(self, route: Route) -> list[Send]:
        """Return the answer to the request, once a destination was chosen: headers first, then the engine's body."""
        if self._state is not _State.CHOOSING:
            raise ProtocolViolation("a route came while none was asked for")
        self._route = route
        body = self._rewritten(route)
        self._proceed(route)
        destination = (wire.DESTINATION, route.destination)
        length = ((wire.CONTENT_LENGTH, str(len(body))),) if body else ()
        headers = (destination, *length, *route.request_headers)
        if self._asked.end_of_stream:
            return [SendRequestHeaders(route.destination, headers)]
        if self._asked.request_mode is BodyMode.BUFFERED:
            return [SendWholeRequest(route.destination, headers, body)]
        return [SendRequestHeaders(route.destination, headers), *self._pieces(body)]

    def refuse(self, error: RequestError) -> list[Send]:
        """Return the answer to a request that nothing can take."""
        self.close()
        return [mutations.refusal(error)]

    def expire(self) -> list[Send]:
        """Return the answer to a request that has not come in time."""
        return self.refuse(TooSlow()) if self.reading else []

    def close(self) -> None:
        """The stream has ended, or ends with what was said last."""
        self._stop_reading()
        self._state = _State.DONE

    def _request_headers(self, event: RequestHeaders) -> list[Action]:
        self._expect(_State.REQUEST_HEADERS, event)
        rules, headers = self._rules, event.headers
        rules.limits.check_headers(event.size)
        self._asked = event
        path, method = rules.path(headers.get(wire.PATH, "")), headers.get(wire.METHOD, "")
        if path == MODELS or path.startswith(f"{MODELS}/"):
            return self._models(method, path)
        self._api = _API.get(path)
        if not (rules.conformance and self._begin_any(event)):
            self._begin(method, event)
        if event.end_of_stream:
            return self._choose()
        if event.request_mode is BodyMode.BUFFERED:
            return [_CONTINUE]
        return []

    def _begin(self, method: str, event: RequestHeaders) -> None:
        """Check that this is a call of an API, and take a place for its body."""
        if self._api is None:
            raise UnknownPath
        if method != "POST":
            raise WrongMethod(allowed="POST")
        if event.end_of_stream:
            raise InvalidRequest("The request has no body")
        self._rules.limits.check_size(_declared_size(event.headers))
        self._read()

    def _begin_any(self, event: RequestHeaders) -> bool:
        """Return whether this is a call that only conformance tests make, taken as it is."""
        if self._api is not None and wire.TEST_SELECTION not in event.headers:
            return False
        self._api = None
        if not event.end_of_stream:
            self._read()
        return True

    def _read(self) -> None:
        if self._asked.request_mode not in {BodyMode.FULL_DUPLEX, BodyMode.BUFFERED}:
            raise UnsupportedGateway
        self._rules.intake.begin(self._rules.limits)
        self._reading = True
        self._state = _State.REQUEST_BODY

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._rules.intake.end(len(self._body))

    def _models(self, method: str, path: str) -> list[Action]:
        if method != "GET":
            raise WrongMethod(allowed="GET")
        name, catalog = path.removeprefix(MODELS).strip("/"), self._rules.catalog
        self.close()
        return [mutations.answer(catalog.entry(name) if name else catalog.listing())]

    def _request_body(self, event: RequestBody) -> list[Action]:
        if not event.data and self._state in {_State.CHOOSING, _State.ROUTED, _State.ANSWERED}:
            return []  # a second end of stream, as Envoy sends for large bodies (envoy #46237)
        self._expect(_State.REQUEST_BODY, event)
        self._rules.limits.check_size(len(self._body) + len(event.data))
        self._rules.intake.add(len(event.data), self._rules.limits)
        self._body += event.data
        whole = event.end_of_stream or self._asked.request_mode is BodyMode.BUFFERED
        return self._choose() if whole else []

    def _request_trailers(self, event: RequestTrailers) -> list[Action]:
        if self._state in {_State.ROUTED, _State.ANSWERED} and self._asked.request_mode is BodyMode.BUFFERED:
            return [SendRequestTrailers()]  # the body was whole before them
        self._expect(_State.REQUEST_BODY, event)
        self._trailers = True
        return self._choose()

    def _choose(self) -> list[Action]:
        body = bytes(self._body)
        self._stop_reading()
        self._state = _State.CHOOSING
        asked = self._asked
        if self._api is None:
            return [ChooseAny(headers=asked.headers, wanted=_wanted(asked.headers), subset=asked.subset)]
        self._body = bytearray()
        self._request = request = parse(self._api, body, self._rules.limits)
        self._named = _rewritten_name(asked.headers) or request.model
        pinned = self._rules.catalog.resolve(self._named)
        return [Choose(request=request, headers=asked.headers, pinned=pinned, subset=asked.subset)]

    def _rewritten(self, route: Route) -> bytes:
        if self._request is None:
            return bytes(self._body)
        model = self._rules.catalog.served(self._named, route.model)
        return rewrite(self._request, model=model, priority=route.priority, cache_salt=route.cache_salt)

    def _pieces(self, body: bytes) -> list[Send]:
        """Return a body in pieces that every gateway takes; exactly one of them ends it, unless trailers do."""
        *pieces, last = mutations.chunks(body)
        sent: list[Send] = [SendRequestBody(piece, end_of_stream=False) for piece in pieces]
        sent.append(SendRequestBody(last, end_of_stream=not self._trailers))
        if self._trailers:
            sent.append(SendRequestTrailers())
        return sent

    def _proceed(self, route: Route) -> None:
        """Wait for the answer, as far as it is to be seen."""
        self._state = _State.ROUTED
        self._answer = AnswerPassage(streamed=self._asked.response_mode is BodyMode.FULL_DUPLEX)
        if route.accounting is Accounting.SKIP:
            self._leave()

    def _leave(self) -> None:
        """Look no further, unless nothing is shown anyway: then the stream goes on, and its end may be the answer's."""
        if self.shown:
            self._left, self._state = True, _State.DONE

    def _response_headers(self, event: ResponseHeaders) -> list[Action]:
        self._expect(_State.ROUTED, event)
        answer, route = self._passage()
        started = answer.start(event)
        if started.status >= 500 and "json" not in event.headers.get(wire.CONTENT_TYPE, ""):
            self._state = _State.DONE
            return [started, mutations.engine_failure(started.status)]
        sent = SendResponseHeaders((*route.response_headers, *self._rules.response_marks(event.served)))
        self._state = _State.ANSWERED
        if event.end_of_stream:
            self._state = _State.DONE
            return [started, sent, AnswerEnded(0)]
        if route.accounting is Accounting.HEADERS and self._asked.response_mode in _RETURNED:
            self._leave()
        return [started, sent]

    def _response_body(self, event: ResponseBody) -> list[Action]:
        if self._state is not _State.ANSWERED:  # a gateway may keep the headers to itself
            self._expect(_State.ROUTED, event)
            self._state = _State.ANSWERED
        if event.end_of_stream:
            self._state = _State.DONE
        return self._passage()[0].take(event)

    def _response_trailers(self, event: ResponseTrailers) -> list[Action]:
        if self._state is not _State.ANSWERED:
            self._expect(_State.ROUTED, event)
        self._state = _State.DONE
        return self._passage()[0].end()

    def _passage(self) -> tuple[AnswerPassage, Route]:
        if self._answer is None or self._route is None:
            raise ProtocolViolation("an answer came before its request was routed")
        return self._answer, self._route

    def _expect(self, state: _State, event: Event) -> None:
        if self._state is not state:
            raise ProtocolViolation(f"{type(event).__name__} came in state {self._state.name}")

    _TAKES: ClassVar[Mapping[type, Callable[["StreamMachine", Any], list[Action]]]] = {
        RequestHeaders: _request_headers,
        RequestBody: _request_body,
        RequestTrailers: _request_trailers,
        ResponseHeaders: _response_headers,
        ResponseBody: _response_body,
        ResponseTrailers: _response_trailers,
    }


# Modes in which a gateway still has the body that nobody answered for; in full duplex it has given it away.
_RETURNED = (BodyMode.STREAMED, BodyMode.BUFFERED, BodyMode.NONE)

_API: Mapping[str, Api] = {api.value: api for api in Api}


def _declared_size(headers: Mapping[str, str]) -> int:
    declared = headers.get(wire.CONTENT_LENGTH, "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _rewritten_name(headers: Mapping[str, str]) -> str:
    """Return the model that the gateway puts in the place of the client's; empty where it does not."""
    return next(filter(None, (headers.get(name) for name in wire.MODEL_REWRITES)), "")


def _wanted(headers: Mapping[str, str]) -> tuple[str, ...]:
    listed = headers.get(wire.TEST_SELECTION, "").split(",")
    return tuple(address.strip() for address in listed if address.strip())
