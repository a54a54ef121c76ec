"""What the gateway says, and what it is told.

All of them are made and read once for every message that passes, so they are msgspec's structs, which cost a tenth of a
dataclass.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto

from msgspec import Struct

from chimera_router.parsing.openai import ParsedRequest
from chimera_router.parsing.replies import Answer
from chimera_router.parsing.usage import Usage

Headers = tuple[tuple[str, str], ...]


class BodyMode(Enum):
    """How the gateway hands a body over: what it sends of it, and the form in which that must be answered."""

    FULL_DUPLEX = auto()  # pieces, answered by pieces of the picker's own
    BUFFERED = auto()  # whole, answered by what to change
    STREAMED = auto()  # pieces, each answered by what to change
    NONE = auto()  # not at all
    UNKNOWN = auto()  # in some way that the picker does not know


class Accounting(StrEnum):
    """How much of an answer the picker looks at. What it does not see passes the gateway untouched."""

    OBSERVE = "observe"
    HEADERS = "headers"
    SKIP = "skip"


# --- events: what the gateway sent ---


class RequestHeaders(Struct, frozen=True, kw_only=True):
    """The client's headers, names in lower case, pseudo-headers included.

    Attributes:
        size: Bytes of all names and values; of repeated headers each one counts.
        subset: Endpoints the gateway allows; None allows all.
        request_mode: How the client's body comes.
        response_mode: How the engine's answer comes.
    """

    headers: Mapping[str, str]
    end_of_stream: bool = False
    size: int = 0
    subset: frozenset[str] | None = None
    request_mode: BodyMode = BodyMode.FULL_DUPLEX
    response_mode: BodyMode = BodyMode.FULL_DUPLEX


class RequestBody(Struct, frozen=True, gc=False):
    """A piece of the client's body."""

    data: bytes
    end_of_stream: bool = False


class RequestTrailers(Struct, frozen=True, gc=False):
    """The client's trailers, which also end its body."""


class ResponseHeaders(Struct, frozen=True, kw_only=True):
    """The engine's headers, or those of an answer the gateway made itself.

    Attributes:
        served: Endpoint that the gateway used, where it says so.
    """

    headers: Mapping[str, str]
    end_of_stream: bool = False
    served: str | None = None


class ResponseBody(Struct, frozen=True, gc=False):
    """A piece of the engine's answer."""

    data: bytes
    end_of_stream: bool = False


class ResponseTrailers(Struct, frozen=True, gc=False):
    """The engine's trailers, which also end its answer."""


Event = RequestHeaders | RequestBody | RequestTrailers | ResponseHeaders | ResponseBody | ResponseTrailers


# --- what the shell hands back when a choice was made ---


class Route(Struct, frozen=True, kw_only=True):
    """The decision, in the protocol's terms.

    Attributes:
        destination: `ip:port`, or several with commas where the gateway may fall back from one to the next.
        model: Name the engine knows the model by; empty leaves the body as it came.
        priority: Place in the engine's queue; None sends none.
        cache_salt: What separates the tenant's prompts from others' in the engine's prefix cache; empty sends none.
        request_headers: To set on the request, besides the destination.
        response_headers: To add to the answer.
        accounting: How much of the answer is to be seen.
    """

    destination: str
    model: str
    priority: int | None = None
    cache_salt: str = ""
    request_headers: Headers = ()
    response_headers: Headers = ()
    accounting: Accounting = Accounting.OBSERVE


# --- actions: what the shell has to do ---


class Choose(Struct, frozen=True, kw_only=True):
    """Decide where this request goes, then call `StreamMachine.route` or `StreamMachine.refuse`.

    Attributes:
        pinned: Canonical name of the model that the client named; None asks for the full choice.
    """

    request: ParsedRequest
    headers: Mapping[str, str]
    pinned: str | None
    subset: frozenset[str] | None


class ChooseAny(Struct, frozen=True, kw_only=True):
    """Say which endpoint takes a request that is not an API's, then go on as after `Choose`.

    Attributes:
        wanted: Endpoints that the request itself asks for, in its order; none asks for any.
    """

    headers: Mapping[str, str]
    wanted: tuple[str, ...]
    subset: frozenset[str] | None


class SendRequestHeaders(Struct, frozen=True):
    """Answer the request headers. With a destination, also as dynamic metadata."""

    destination: str
    headers: Headers = ()


class ContinueRequestHeaders(Struct, frozen=True, gc=False):
    """Answer the request headers with nothing yet: the gateway sends the body only then."""


class SendRequestBody(Struct, frozen=True, gc=False):
    """Send a piece of the body on."""

    data: bytes
    end_of_stream: bool


class SendWholeRequest(Struct, frozen=True):
    """Answer a body that came whole: the destination, also as dynamic metadata, headers, and the body in its place."""

    destination: str
    headers: Headers
    data: bytes


class SendRequestTrailers(Struct, frozen=True, gc=False):
    """Answer the request trailers."""


class SendResponseHeaders(Struct, frozen=True):
    """Answer the response headers."""

    headers: Headers = ()


class SendResponseBody(Struct, frozen=True, gc=False):
    """Send a piece of the answer on."""

    data: bytes
    end_of_stream: bool


class ContinueResponseBody(Struct, frozen=True, gc=False):
    """Let a piece of the answer go on as it is."""


class SendResponseTrailers(Struct, frozen=True, gc=False):
    """Answer the response trailers."""


class SendImmediate(Struct, frozen=True, kw_only=True):
    """End the exchange with an answer of the picker's own."""

    status: int
    body: bytes
    headers: Headers = ()


class AnswerStarted(Struct, frozen=True):
    """Account: the answer's status is known. `served` as in ResponseHeaders, `streamed` where it comes as events."""

    status: int
    served: str | None = None
    streamed: bool = False


class AnswerProgressed(Struct, frozen=True, gc=False):
    """Account: so many output tokens have come in all. Told again whenever they have grown by an eighth."""

    output_tokens: int


class AnswerTold(Struct, frozen=True):
    """Account: this is all that the answer says. Comes once, and before the client can have it all."""

    output_tokens: int
    answer: Answer


class AnswerEnded(Struct, frozen=True):
    """Account: the answer is complete."""

    output_tokens: int
    usage: Usage = Usage()


Send = (
    SendRequestHeaders
    | ContinueRequestHeaders
    | SendRequestBody
    | SendWholeRequest
    | SendRequestTrailers
    | SendResponseHeaders
    | SendResponseBody
    | ContinueResponseBody
    | SendResponseTrailers
    | SendImmediate
)
Account = AnswerStarted | AnswerProgressed | AnswerTold | AnswerEnded
Ask = Choose | ChooseAny
Action = Ask | Send | Account
