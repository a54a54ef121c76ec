"""What the gateway says, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chimera_router.parsing.openai import ParsedRequest
from chimera_router.parsing.replies import Answer
from chimera_router.parsing.usage import Usage

Headers = tuple[tuple[str, str], ...]


# --- events: what the gateway sent ---


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeaders:
    """The client's headers, names in lower case, pseudo-headers included.

    Attributes:
        subset: Endpoints the gateway allows; None allows all.
    """

    headers: Mapping[str, str]
    end_of_stream: bool = False
    subset: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A piece of the client's body."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class RequestTrailers:
    """The client's trailers, which also end its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHeaders:
    """The engine's headers, or those of an answer the gateway made itself.

    Attributes:
        served: Endpoint that the gateway used, where it says so.
    """

    headers: Mapping[str, str]
    end_of_stream: bool = False
    served: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """A piece of the engine's answer."""

    data: bytes
    end_of_stream: bool = False


@dataclass(frozen=True, slots=True)
class ResponseTrailers:
    """The engine's trailers, which also end its answer."""


Event = RequestHeaders | RequestBody | RequestTrailers | ResponseHeaders | ResponseBody | ResponseTrailers


# --- what the shell hands back when a choice was made ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The decision, in the protocol's terms.

    Attributes:
        destination: `ip:port`.
        model: Name the engine knows the model by.
        priority: Place in the engine's queue; None sends none.
        response_headers: To add to the answer.
    """

    destination: str
    model: str
    priority: int | None = None
    response_headers: Headers = ()


# --- actions: what the shell has to do ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Decide where this request goes, then call `StreamMachine.route` or `StreamMachine.refuse`.

    Attributes:
        pinned: Canonical name of the model that the client named; None asks for the full choice.
    """

    request: ParsedRequest
    headers: Mapping[str, str]
    pinned: str | None
    subset: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class SendRequestHeaders:
    """Answer the request headers. With a destination, also as dynamic metadata."""

    destination: str
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class SendRequestBody:
    """Send a piece of the body on."""

    data: bytes
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class SendRequestTrailers:
    """Answer the request trailers."""


@dataclass(frozen=True, slots=True)
class SendResponseHeaders:
    """Answer the response headers."""

    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class SendResponseBody:
    """Send a piece of the answer on."""

    data: bytes
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class SendResponseTrailers:
    """Answer the response trailers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendImmediate:
    """End the exchange with an answer of the picker's own."""

    status: int
    body: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """Account: the answer's status is known. `served` as in ResponseHeaders."""

    status: int
    served: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerProgressed:
    """Account: so many output tokens have come in all."""

    output_tokens: int


@dataclass(frozen=True, slots=True)
class AnswerTold:
    """Account: this is all that the answer says. Comes once, and before the client can have it all."""

    output_tokens: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """Account: the answer is complete."""

    output_tokens: int
    usage: Usage = field(default_factory=Usage)


Send = (
    SendRequestHeaders
    | SendRequestBody
    | SendRequestTrailers
    | SendResponseHeaders
    | SendResponseBody
    | SendResponseTrailers
    | SendImmediate
)
Account = AnswerStarted | AnswerProgressed | AnswerTold | AnswerEnded
Action = Choose | Send | Account
