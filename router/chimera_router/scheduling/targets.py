"""What the price of time can be steered to hold: a mean that says, by how far it is off, which way to move it."""

import math
from dataclasses import dataclass
from typing import Protocol

WINDOW = 30.0
"""Seconds over which observations are forgotten by a factor e: long enough for a mean, short beside a day's changes."""

_ANSWERS = 8.0  # times an answer takes that a window spans, so that their delay is small beside it
_SPAN = 0.1  # confidence that counts as a miss of 1


class Target(Protocol):
    """What is held."""

    @property
    def name(self) -> str:
        """What it is a mean of, with its unit."""

    @property
    def value(self) -> float:
        """The mean to hold."""

    @property
    def window(self) -> float:
        """Seconds over which observations are forgotten by a factor e."""

    def reading(self, *, latency: float | None, confidence: float | None) -> float | None:
        """Return the observation that counts; None where it is not there."""

    def miss(self, mean: float) -> float:
        """Return how far a mean is off, above zero where the price has to rise."""


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """A mean latency.

    Attributes:
        seconds: Above zero.
    """

    seconds: float
    name: str = "latency_seconds"

    @property
    def value(self) -> float:
        """The seconds."""
        return self.seconds

    @property
    def window(self) -> float:
        """At least `WINDOW`, and eight answers long."""
        return max(WINDOW, _ANSWERS * self.seconds)

    def reading(self, *, latency: float | None, confidence: float | None) -> float | None:  # noqa: ARG002 - the targets' interface
        """Return the latency."""
        return latency

    def miss(self, mean: float) -> float:
        """Return the log of how many times too slow."""
        return math.log(max(mean, 1e-9) / self.seconds)


@dataclass(frozen=True, slots=True)
class ScoreTarget:
    """A mean confidence, which is the expected share of right answers.

    Attributes:
        share: Between 0 and 1.
    """

    share: float
    name: str = "score"
    window: float = WINDOW

    @property
    def value(self) -> float:
        """The share."""
        return self.share

    def reading(self, *, latency: float | None, confidence: float | None) -> float | None:  # noqa: ARG002 - the targets' interface
        """Return the confidence."""
        return confidence

    def miss(self, mean: float) -> float:
        """Return the confidence to spare, in tenths."""
        return (mean - self.share) / _SPAN
