"""The words for what an engine said when it was asked."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of asking an engine for its load."""

    BELIEVED = "believed"
    MISSING = "missing"
    """It answered, but not with the numbers."""
    ABSURD = "absurd"
    """A number cannot be."""
    FROZEN = "frozen"
    """The numbers claim load and never change."""
    SLOW = "slow"
    """The page did not come in time, but the engine answers."""
    SILENT = "silent"
    """Nothing came in time: neither the page, nor health, nor so much as a refusal."""
    UNREACHABLE = "unreachable"
    """Nobody is there: the connection was refused or broke, or a proxy says so."""


UNANSWERED = frozenset((Outcome.SLOW, Outcome.SILENT, Outcome.UNREACHABLE))
"""What became of questions that brought no page: such an engine is asked less and less often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a metrics page says.

    Attributes:
        running: Requests in the batch.
        waiting: Requests in the queue.
        kv_usage: Share of the KV cache in use, 0 to 1.
        pulse: A number that moves with every step of the engine; None where the page has none.
    """

    running: int
    waiting: int
    kv_usage: float
    pulse: float | None = None

    @property
    def loaded(self) -> bool:
        """Whether it shows any request."""
        return self.running + self.waiting > 0
