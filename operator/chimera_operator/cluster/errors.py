"""What can go wrong between the operator and an API server.

    ClusterError
    ├── ApiServerError     the server refuses, or does not answer
    ├── LeaseLost          somebody else may be the leader by now
    ├── NotOurs            an object of that name belongs to somebody else
    ├── PoolGone           the pool is not there, or is another one by now
    └── CredentialsError   there is nothing to ask the server with

Their text names the failure and the object. What the server said beyond that is kept apart: it may repeat a pool's
spec, which belongs into that pool's status and not into a log.
"""

from enum import StrEnum

from chimera_operator.rendering.manifest import ObjectKey


class ApiFailure(StrEnum):
    """Why a call came to nothing."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    CLOSED = "closed"
    """A watch ended at once and said nothing."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    """Somebody else wrote first, has the field, or made the object."""
    EXPIRED = "expired"
    """The server has forgotten what the call was to go on from."""
    INVALID = "invalid"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    SERVER_ERROR = "server error"


class ClusterError(Exception):
    """Something between the operator and its cluster is not as it should be."""


class ApiServerError(ClusterError):
    """A call to the API server came to nothing.

    Args:
        failure: Why.
        retry_after: Seconds that the server asks to wait; 0 where it asks for nothing.
        said: The server's sentence, for the status of whatever the call was about. Never logged.
        causes: What the sentence is about, one a field: its path and the server's words.
    """

    def __init__(
        self,
        failure: ApiFailure,
        *,
        retry_after: float = 0.0,
        said: str = "",
        causes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"API server: {failure}")
        self.failure = failure
        self.retry_after = retry_after
        self.said = said
        self.causes = causes


class LeaseLost(ClusterError):  # noqa: N818 - the field's name for it
    """Somebody else may lead by now; nothing more must be written."""

    def __init__(self) -> None:
        super().__init__("the lease could not be renewed in time")


class NotOurs(ClusterError):  # noqa: N818 - reads as what it is
    """An object of that name is there and belongs to somebody else.

    Args:
        key: The object.
    """

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f"{key.kind} {key.name} exists and does not belong to the pool")
        self.key = key


class PoolGone(ClusterError):  # noqa: N818 - reads as what it is
    """The pool is not there any more, or not the one that was planned for."""


class CredentialsError(ClusterError):
    """There are no credentials of an API server, or they cannot be read."""
