"""What a caller wants, and who says whether it may have it. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call is for, in the words of Kubernetes' rules for URLs that are no resources.

    Attributes:
        verb: HTTP's method, in lower case.
        path: Of a page that is served, never a client's own text.
    """

    verb: str
    path: str


class Verdict(StrEnum):
    """What becomes of a call."""

    ADMITTED = "admitted"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"
    """Nobody can say now."""


class Authority(Protocol):
    """Knows tokens and what their bearers may do."""

    async def judge(self, token: str, wanted: Wanted) -> Verdict:
        """Return what becomes of a call with this token."""
        ...
