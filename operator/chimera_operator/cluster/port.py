"""What the operator asks of an API server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Verb(StrEnum):
    """What a call does; the words of roles, where these have one."""

    GET = "get"
    LIST = "list"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    """A merge patch."""
    APPLY = "apply"
    """A server-side apply; roles call it a patch."""
    DELETE = "delete"

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self not in {Verb.GET, Verb.LIST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call.

    Attributes:
        verb: What it does.
        path: From the server's root.
        query: Beside the path.
        body: As JSON; None sends none.
    """

    verb: Verb
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


class Api(Protocol):
    """An API server; see `client`. Its calls raise ApiServerError."""

    async def call(self, call: Call) -> bytes:
        """Return the answer."""
        ...

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Yield the events of a watch, a line each, until the server ends it after so many seconds."""
        ...


class CallObserver(Protocol):
    """Counts calls; see `telemetry.metrics`."""

    def called(self, verb: str, code: str) -> None:
        """A call was answered with this status, or failed for this reason."""
