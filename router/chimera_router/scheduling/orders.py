"""Put requests in order: who goes first in an engine's queue. Chimera's order, and those it is measured against."""

import math
from dataclasses import dataclass
from typing import Protocol

from chimera_router.scheduling.types import ModelPrediction, SchedulingRequest

EPOCH = 1_767_225_600.0  # seconds; 2026-01-01T00:00:00Z, fixed so that every picker replica counts from the same moment

DEFAULT_AGING_RATE = 12.0
"""Tokens a second by which a waiting request improves: one that needs 500 tokens more waits 42 s longer at most. The
smallest rate that keeps the 99th percentile of latency within 1.3 times that of serving in order of arrival, where
engines queue (docs/evidence.md); most of the mean that order gains is kept."""

DEFAULT_QUANTUM = 256.0
"""Tokens of service after which a workflow leaves the first level: about one stage of the recorded workflows."""


class Order(Protocol):
    """A rule that numbers requests for an engine's queue.

    An engine reads the number once, at submission, so whatever should change while a request waits must be in it.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> int | None:
        """Return the number, lower goes first; None leaves the queue in the engine's own order, that of arrival."""


def aged(tokens: float, *, arrival: float, aging_rate: float) -> int:
    """Return a rank in tokens that ages by itself.

    What came `tokens / aging_rate` seconds later stands behind, whatever its length: counting the arrival in tokens
    gives a waiting request its due without anybody updating it (vLLM cannot re-order a queued request).

    Args:
        tokens: By which requests that come together are ordered.
        arrival: Seconds since the Unix epoch.
        aging_rate: Tokens a second.
    """
    return round(tokens + aging_rate * (arrival - EPOCH))


@dataclass(frozen=True, slots=True)
class RemainingFirst:
    """The workflow with the least left first, by predicted tokens of all its stages (arXiv 2603.22206), with aging."""

    aging_rate: float = DEFAULT_AGING_RATE
    name: str = "remaining-first"

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> int:
        """Return the remaining tokens, aged."""
        return aged(prediction.remaining_tokens, arrival=request.arrival, aging_rate=self.aging_rate)


@dataclass(frozen=True, slots=True)
class StageFirst:
    """The shortest request first, whatever its workflow still needs: learning to rank (arXiv 2408.15792).

    Its guard against starvation, a promotion after so many passes, is expressed as aging.
    """

    aging_rate: float = DEFAULT_AGING_RATE
    name: str = "stage-first"

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> int:
        """Return the tokens of this request alone, aged."""
        return aged(prediction.stage_tokens, arrival=request.arrival, aging_rate=self.aging_rate)


@dataclass(frozen=True, slots=True)
class Attained:
    """The workflow that has had the least service first, in levels that double (MLFQ; Autellix, arXiv 2502.13965).

    It predicts nothing. Inside a level the engine serves in order of arrival.

    Attributes:
        quantum: Tokens of the first level; each further level takes twice as many as the one before.
        aging_rate: Tokens a second; 0 keeps levels strict.
    """

    quantum: float = DEFAULT_QUANTUM
    aging_rate: float = 0.0
    name: str = "attained"

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> int:  # noqa: ARG002 - the orders' interface
        """Return the tokens at which the workflow's level begins, aged."""
        level = math.floor(math.log2(1.0 + request.tokens_so_far / self.quantum))
        return aged(self.quantum * (2**level - 1), arrival=request.arrival, aging_rate=self.aging_rate)


@dataclass(frozen=True, slots=True)
class Arrival:
    """First come, first served: the engine's own order."""

    name: str = "arrival"

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> None:
        """Return nothing."""
