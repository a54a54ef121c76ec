"""One ext_proc stream: the order of messages, the body's collection, the answer's passage.

Knows nothing of gRPC, of time or of how a choice is made. Between `Choose` and `route` or `refuse` the shell takes as
long as it likes; the gateway sends nothing meanwhile but trailers and the end of the stream.
"""

from collections.abc import Mapping
from enum import Enum, auto

from chimera_router import wire
from chimera_router.errors import InvalidRequest, ProtocolViolation, RequestError, UnknownPath, WrongMethod
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, ParsedRequest, parse, rewrite
from chimera_router.parsing.replies import ReplyReader
from chimera_router.parsing.usage import UsageScanner
from chimera_router.protocol import mutations
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import (
    Action,
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
    Send,
    SendRequestBody,
    SendRequestHeaders,
    SendRequestTrailers,
    SendResponseBody,
    SendResponseHeaders,
    SendResponseTrailers,
)

MODELS = "/v1/models"


class _State(Enum):
    REQUEST_HEADERS = auto()
    REQUEST_BODY = auto()
    CHOOSING = auto()
    RESPONSE_HEADERS = auto()
    RESPONSE_BODY = auto()
    DONE = auto()


class StreamMachine:
    """Feeds on one stream's events, in order, and says what to do about each."""

    def __init__(self, catalog: Catalog, limits: Limits) -> None:
        self._catalog = catalog
        self._limits = limits
        self._state = _State.REQUEST_HEADERS
        self._api = Api.CHAT
        self._headers: Mapping[str, str] = {}
        self._subset: frozenset[str] | None = None
        self._body = bytearray()
        self._request: ParsedRequest | None = None
        self._trailers = False
        self._route: Route | None = None
        self._scanner = UsageScanner()
        self._reader = ReplyReader()
        self._told = False

    @property
    def done(self) -> bool:
        """Whether the exchange is over: nothing the gateway still says will be answered."""
        return self._state is _State.DONE

    def feed(self, event: Event) -> list[Action]:
        """Return what to do about an event, in order.

        Raises:
            ProtocolViolation: The event cannot come now.
        """
        if self.done:
            return []
        try:
            return self._take(event)
        except RequestError as error:
            return [*self._end(error)]

    def route(self, route: Route) -> list[Send]:
        """Return the answer to the request, once a destination was chosen: headers first, then the engine's body."""
        request = self._request
        if self._state is not _State.CHOOSING or request is None:
            raise ProtocolViolation("a route came while none was asked for")
        self._route = route
        self._state = _State.RESPONSE_HEADERS
        body = rewrite(request.body, model=route.model, priority=route.priority)
        headers = ((wire.DESTINATION, route.destination), (wire.CONTENT_LENGTH, str(len(body))))
        pieces = mutations.chunks(body)
        last = len(pieces) - 1
        sent = [SendRequestBody(piece, index == last and not self._trailers) for index, piece in enumerate(pieces)]
        trailers = [SendRequestTrailers()] if self._trailers else []
        return [SendRequestHeaders(route.destination, headers), *sent, *trailers]

    def refuse(self, error: RequestError) -> list[Send]:
        """Return the answer to a request that nothing can take."""
        return self._end(error)

    def _take(self, event: Event) -> list[Action]:
        match event, self._state:
            case RequestHeaders(), _State.REQUEST_HEADERS:
                return self._request_headers(event)
            case RequestBody(), _State.REQUEST_BODY:
                return self._request_body(event)
            case RequestTrailers(), _State.REQUEST_BODY:
                self._trailers = True
                return self._choose()
            case _:
                return self._take_answer(event)

    def _take_answer(self, event: Event) -> list[Action]:
        match event, self._state:
            case RequestBody(data=b""), _State.RESPONSE_HEADERS | _State.RESPONSE_BODY:
                return []  # a second end of stream, as Envoy sends for large bodies (envoy #46237)
            case ResponseHeaders(), _State.RESPONSE_HEADERS:
                return self._response_headers(event)
            case ResponseBody(), _State.RESPONSE_BODY:
                return self._response_body(event)
            case ResponseTrailers(), _State.RESPONSE_BODY:
                return [*self._tell(ended=True), SendResponseTrailers(), self._answer_ended()]
            case _:
                raise ProtocolViolation(f"{type(event).__name__} came in state {self._state.name}")

    def _request_headers(self, event: RequestHeaders) -> list[Action]:
        path = event.headers.get(wire.PATH, "").partition("?")[0]
        method = event.headers.get(wire.METHOD, "")
        if path == MODELS or path.startswith(f"{MODELS}/"):
            return self._models(method, path)
        try:
            self._api = Api(path)
        except ValueError:
            raise UnknownPath from None
        if method != "POST":
            raise WrongMethod(allowed="POST")
        if event.end_of_stream:
            raise InvalidRequest("The request has no body")
        self._limits.check_size(_declared_size(event.headers))
        self._headers, self._subset = event.headers, event.subset
        self._state = _State.REQUEST_BODY
        return []

    def _models(self, method: str, path: str) -> list[Action]:
        if method != "GET":
            raise WrongMethod(allowed="GET")
        name = path.removeprefix(MODELS).strip("/")
        self._state = _State.DONE
        return [mutations.answer(self._catalog.entry(name) if name else self._catalog.listing())]

    def _request_body(self, event: RequestBody) -> list[Action]:
        self._limits.check_size(len(self._body) + len(event.data))
        self._body += event.data
        return self._choose() if event.end_of_stream else []

    def _choose(self) -> list[Action]:
        self._request = parse(self._api, bytes(self._body), self._limits)
        self._body.clear()
        pinned = self._catalog.resolve(self._request.model)
        self._state = _State.CHOOSING
        return [Choose(request=self._request, headers=self._headers, pinned=pinned, subset=self._subset)]

    def _response_headers(self, event: ResponseHeaders) -> list[Action]:
        status = _status(event.headers)
        started = AnswerStarted(status, event.served)
        if status >= 500 and "json" not in event.headers.get(wire.CONTENT_TYPE, ""):
            self._state = _State.DONE
            return [started, mutations.engine_failure(status)]
        sent = SendResponseHeaders(self._route.response_headers if self._route else ())
        if event.end_of_stream:
            return [started, sent, self._answer_ended()]
        self._told = status >= 400  # an error says nothing that a conversation goes on from
        self._state = _State.RESPONSE_BODY
        return [started, sent]

    def _response_body(self, event: ResponseBody) -> list[Action]:
        self._scanner.feed(event.data)
        self._reader.feed(event.data)
        sent = [*self._tell(ended=event.end_of_stream), SendResponseBody(event.data, event.end_of_stream)]
        if event.end_of_stream:
            return [*sent, self._answer_ended()]
        return [*sent, AnswerProgressed(self._scanner.output_tokens)]

    def _tell(self, *, ended: bool) -> list[Action]:
        if self._told or not (ended or self._reader.complete):
            return []
        self._told = True
        answer = self._reader.answer()
        return [AnswerTold(self._scanner.output_tokens, answer)] if answer.replies or answer.id else []

    def _answer_ended(self) -> AnswerEnded:
        self._state = _State.DONE
        return AnswerEnded(self._scanner.output_tokens, self._scanner.usage)

    def _end(self, error: RequestError) -> list[Send]:
        self._state = _State.DONE
        return [mutations.refusal(error)]


def _declared_size(headers: Mapping[str, str]) -> int:
    declared = headers.get(wire.CONTENT_LENGTH, "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def _status(headers: Mapping[str, str]) -> int:
    status = headers.get(wire.STATUS, "")
    return int(status) if status.isascii() and status.isdigit() else 500
