"""What is said to the server between the pickers, in the names that are used there."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chimera_router.values import value


@value
class Change:
    """One picker's part of a workflow, and digests that lead to the workflow.

    Attributes:
        workflow: Its name.
        part: Sealed.
        digests: Names of digests.
    """

    workflow: bytes
    part: bytes
    digests: tuple[bytes, ...] = ()


@value
class Question:
    """What is known of a workflow, named or found by digests.

    Attributes:
        workflow: Its name; None where only digests lead to it.
        digests: Names of digests, the most telling first.
    """

    workflow: bytes | None = None
    digests: tuple[bytes, ...] = ()


@value
class Answer:
    """What the server has.

    Attributes:
        holders: For each digest asked about, the workflows that it leads to, the latest first.
        parts: Of the workflow named and of those found, the best found first: every picker's sealed part.
    """

    holders: Sequence[Sequence[bytes]]
    parts: Mapping[bytes, Mapping[bytes, bytes]]


class Server(Protocol):
    """Keeps the parts of workflows, for a while."""

    async def exchange(self, changes: Sequence[Change], questions: Sequence[Question]) -> list[Answer]:
        """Make changes and answer questions, all in one round trip.

        Raises:
            ServerAway: It does not answer; some changes may have been made.
        """

    async def aclose(self) -> None:
        """Hold no connection any more."""
