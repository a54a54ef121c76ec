"""What can go wrong, as types. Only `protocol.mutations` knows which HTTP status each one is.

ChimeraError
├── RequestError            the client's request cannot be served; its text is safe to show
│   ├── InvalidRequest          the body or a header breaks a rule
│   ├── BodyTooLarge            the body passes the cap
│   ├── HeadersTooLarge         the headers pass the cap
│   ├── TooSlow                 the body took too long to come
│   ├── UnknownModel            `model` names no member of the pool
│   ├── UnknownPath             not an API this pool serves
│   ├── WrongMethod             the path exists for another method
│   ├── NoEndpoints             no endpoint can take the request
│   ├── UnknownResponse         the response to go on from is not known
│   ├── Overloaded              the engines or the picker have too much to do
│   ├── UnsupportedGateway      the gateway hands bodies over in a way that a choice cannot be made in
│   ├── UnknownWorkflow         feedback for a workflow that is not in the table
│   ├── AlreadyJudged           feedback for a workflow that had its own
│   ├── UnknownPage             not a management page
│   ├── RequestTimeout          a management call took too long
│   ├── Unauthenticated         a management call without a token that is known
│   ├── Forbidden               its bearer may not have this
│   └── AuthorityUnavailable    nobody can say who calls
├── ProtocolViolation       the gateway broke the order of messages
├── ConfigError             a RouterConfig, a file it names, a certificate or the command line breaks a rule
├── ApiServerError          the Kubernetes API server did not do what it was asked
├── BundleError             a bundle was refused
├── StateError              a saved state was refused
└── ServerAway              the server between the pickers of a pool does not answer
"""

from enum import StrEnum

from chimera_router.scheduling.types import DropReason

_WHY = {
    DropReason.CAPACITY: "Every engine is busy and too many requests wait already; try again later",
    DropReason.TTL_EXPIRED: "Every engine was busy for as long as a request may wait; try again later",
    DropReason.SHED: "Every engine is busy and requests of a higher priority go first; try again later",
    DropReason.PICKER_FULL: "Too many requests are being read at once; try again later",
}


class ChimeraError(Exception):
    """Root of everything this package raises on purpose."""


class RequestError(ChimeraError):
    """A request that cannot be served. Its text names the rule, never the input."""


class InvalidRequest(RequestError):  # noqa: N818 - the field's name for it
    """The body or a header breaks a rule.

    Args:
        rule: What is expected, in words.
        param: The field of the body that breaks it, as OpenAI's errors name it.
    """

    def __init__(self, rule: str, *, param: str | None = None) -> None:
        super().__init__(rule)
        self.param = param


class BodyTooLarge(RequestError):  # noqa: N818 - the field's name for it
    """The request body passes the cap."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes")


class HeadersTooLarge(RequestError):  # noqa: N818 - the field's name for it
    """The request headers pass the cap."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The request headers are larger than {limit} bytes")


class TooSlow(RequestError):  # noqa: N818 - the field's name for it
    """The request body took too long to come."""

    def __init__(self) -> None:
        super().__init__("The request body did not come in time")


class UnsupportedGateway(RequestError):  # noqa: N818 - the field's name for it
    """The gateway hands request bodies over in a way in which no choice can be made: piece by piece, or not at all."""

    def __init__(self) -> None:
        super().__init__("The gateway must send request bodies to the picker, full-duplex streamed or buffered")


class UnknownModel(RequestError):  # noqa: N818 - the field's name for it
    """`model` names neither a member of the pool nor the pool itself."""

    def __init__(self) -> None:
        super().__init__("The model does not exist in this pool; GET /v1/models lists those that do")


class UnknownPath(RequestError):  # noqa: N818 - the field's name for it
    """The path is not part of the API that this pool serves."""

    def __init__(self) -> None:
        super().__init__(
            "This path is not served; see /v1/models, /v1/chat/completions, /v1/completions, /v1/responses"
        )


class WrongMethod(RequestError):  # noqa: N818 - the field's name for it
    """The path is served, but not for this method."""

    def __init__(self, *, allowed: str) -> None:
        super().__init__(f"This path accepts {allowed}")
        self.allowed = allowed


class NoEndpoints(RequestError):  # noqa: N818 - the field's name for it
    """No endpoint can take the request now."""

    def __init__(self, *, reason: DropReason) -> None:
        super().__init__("No endpoint of this pool can take the request now")
        self.reason = reason


class UnknownResponse(RequestError):  # noqa: N818 - the field's name for it
    """`previous_response_id` names no response that this tenant got and that is remembered."""

    param = "previous_response_id"

    def __init__(self) -> None:
        super().__init__("The previous response was not found; it was never made here or is forgotten")


class Overloaded(RequestError):  # noqa: N818 - the field's name for it
    """The request is refused for what others take: of the engines that could take it, or of the picker itself.

    Args:
        reason: Why it may not wait, or wait any longer.
        retry_after: Whole seconds after which it is worth trying again.
    """

    def __init__(self, *, reason: DropReason, retry_after: int) -> None:
        super().__init__(_WHY[reason])
        self.reason = reason
        self.retry_after = retry_after


class UnknownWorkflow(RequestError):  # noqa: N818 - the field's name for it
    """Feedback names a workflow or request that was never seen, or is forgotten."""

    def __init__(self) -> None:
        super().__init__("No workflow of this tenant has this id; it was never seen or is forgotten")


class AlreadyJudged(RequestError):  # noqa: N818 - the field's name for it
    """Feedback names a workflow that had its feedback before."""

    def __init__(self) -> None:
        super().__init__("This workflow has had its feedback; the first one counts")


class UnknownPage(RequestError):  # noqa: N818 - the field's name for it
    """The path is no page of the management interface."""

    def __init__(self) -> None:
        super().__init__(
            "This page is not served; see /metrics, /chimera/v1/status, /chimera/v1/explain, /chimera/v1/feedback"
        )


class RequestTimeout(RequestError):  # noqa: N818 - the field's name for it
    """The call was not over in time."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"The request was not complete, or not answered, within {seconds:g} s")


class Unauthenticated(RequestError):  # noqa: N818 - the field's name for it
    """The call has no token that is known."""

    def __init__(self) -> None:
        super().__init__("This needs a token that is known here, once, as authorization: Bearer TOKEN")


class Forbidden(RequestError):  # noqa: N818 - the field's name for it
    """The bearer of the token is known and has no right to this."""

    def __init__(self) -> None:
        super().__init__("The bearer of this token has no right to this; it needs the verb on this path (RBAC)")


class AuthorityUnavailable(RequestError):  # noqa: N818 - the field's name for it
    """Who knows the bearers of tokens does not answer."""

    def __init__(self) -> None:
        super().__init__("Nobody can say now whose token this is; try again")


class ProtocolViolation(ChimeraError):  # noqa: N818 - the field's name for it
    """The gateway sent ext_proc messages in an order the protocol does not allow."""


class ConfigError(ChimeraError):
    """What the picker was configured with breaks a rule; the text names the place and the rule."""


class ApiFailure(StrEnum):
    """Why a call of the Kubernetes API server came to nothing."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    TIMEOUT = "timeout"  # connected, but silent for too long
    EXPIRED = "expired"  # 410: the server has forgotten what was to go on
    THROTTLED = "throttled"  # 429
    UNAUTHORIZED = "unauthorized"  # 401, or no credentials to send
    FORBIDDEN = "forbidden"  # 403
    NOT_FOUND = "not_found"  # 404: the server does not know the kind of object
    REJECTED = "rejected"  # any other status below 500
    SERVER_ERROR = "server_error"  # 500 and above
    MALFORMED = "malformed"  # an answer that is none
    CLOSED = "closed"  # a watch that ended before anything was said


class ApiServerError(ChimeraError):
    """The Kubernetes API server did not do what it was asked. No client ever hears of it.

    Args:
        failure: Why.
        retry_after: Seconds that the server asks to be left alone for; 0 where it asks for none.
    """

    def __init__(self, failure: ApiFailure, *, retry_after: float = 0.0) -> None:
        super().__init__(f"The Kubernetes API server did not do what it was asked: {failure}")
        self.failure = failure
        self.retry_after = retry_after


class BundleError(ChimeraError):
    """A bundle was refused; the text names the file and the rule."""


class StateError(ChimeraError):
    """A saved state was refused; the text names the file and the rule."""


class ServerAway(ChimeraError):  # noqa: N818 - what is the matter, in the field's words
    """The server that keeps workflows cannot be reached, refuses or is slow; the text names the kind of failure."""
