"""Policies that put a price on time: the model whose confidence is worth the most after its costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chimera_router.scheduling.policies.choice import Candidate, Choice
from chimera_router.scheduling.types import SchedulingRequest, Verdict

DEFAULT_PRICE = 0.03
"""Confidence per second: three points of it are worth a second of everybody's time together. Of the prices compared
in docs/evidence.md the one that beats blind round robin in latency and in score at once on every pool."""

DEFAULT_COST_PRICE = 0.0
"""Confidence per workflow of the largest model: nobody pays for parameters unless asked to."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """The most confidence left after paying for the seconds that this request takes of everybody.

    It beats a rule on the request's own latency because a request on a busy engine slows all those beside it.

    Attributes:
        price: Confidence per second; 0 asks for confidence alone.
    """

    price: float = DEFAULT_PRICE
    name: str = "marginal"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the candidate of the greatest worth; of equals the one that takes the least time."""
        return _worthiest(candidates, self._worth)

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return the difference of worth, in confidence."""
        return self._worth(chosen) - self._worth(kept)

    def _worth(self, candidate: Candidate) -> float:
        return candidate.confidence - self.price * (candidate.latency + candidate.delay)


@dataclass(frozen=True, slots=True)
class Utility:
    """The most confidence left after paying for latency and for parameters.

    Attributes:
        latency_price: Confidence per second of the request's own latency.
        cost_price: Confidence for the parameters times tokens that the pool's largest model would take.
    """

    latency_price: float = DEFAULT_PRICE
    cost_price: float = DEFAULT_COST_PRICE
    name: str = "utility"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the candidate of the greatest utility; of equals the one that takes the least time."""
        largest = max(candidates, key=lambda candidate: candidate.model.descriptor.parameters_b)
        return _worthiest(candidates, lambda candidate: self._utility(candidate, largest))

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return the difference of utility, in confidence, by the cost of the larger of the two."""
        largest = max((chosen, kept), key=lambda candidate: candidate.model.descriptor.parameters_b)
        return self._utility(chosen, largest) - self._utility(kept, largest)

    def _utility(self, candidate: Candidate, largest: Candidate) -> float:
        cost = candidate.work / largest.work if largest.work else 0.0
        return candidate.confidence - self.latency_price * candidate.latency - self.cost_price * cost


def _worthiest(candidates: Sequence[Candidate], worth: Callable[[Candidate], float]) -> Choice:
    chosen = max(candidates, key=lambda candidate: (worth(candidate), -candidate.latency - candidate.delay))
    return Choice(chosen, {candidate.model.name: _verdict(candidate, chosen) for candidate in candidates})


def _verdict(candidate: Candidate, chosen: Candidate) -> Verdict:
    if candidate is chosen:
        return Verdict.CHOSEN
    return Verdict.TOO_DEAR if candidate.confidence > chosen.confidence else Verdict.LESS_CONFIDENT
