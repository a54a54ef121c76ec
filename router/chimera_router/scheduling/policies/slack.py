"""The paper's rule."""

from collections.abc import Sequence
from dataclasses import dataclass

from chimera_router.scheduling.policies.choice import Candidate, Choice
from chimera_router.scheduling.types import SchedulingRequest, Verdict

DEFAULT_SLACK = 1.5
"""Share by which a model may be slower than the fastest; 1.5 admits 2.5 times its latency: what a 70B model on four
cards takes beside a 7B one on one while both are idle, by their step times. Under load it drops out by itself."""

DEFAULT_MIN_GAIN = 0.1
"""Confidence by which a model must beat the fastest: what most settings on this rule's frontier have
(docs/evidence.md); less buys slower answers for gains that are within the error of the predictions."""


@dataclass(frozen=True, slots=True)
class Slack:
    """The most confident model among those nearly as fast as the fastest (arXiv 2603.22206).

    Under load the fastest model's rivals fall out of the slack one by one, so the set shrinks towards it by itself.
    """

    slack: float = DEFAULT_SLACK
    min_gain: float = DEFAULT_MIN_GAIN
    name: str = "slack"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the most confident admitted model if it gains enough on the fastest, else the fastest."""
        fastest = min(candidates, key=lambda candidate: candidate.latency)
        limit = (1.0 + self.slack) * fastest.latency
        admitted = [candidate for candidate in candidates if candidate.latency <= limit]
        best = max(admitted, key=lambda candidate: (candidate.confidence, -candidate.latency))
        chosen = best if best.confidence - fastest.confidence >= self.min_gain else fastest
        return Choice(chosen, {c.model.name: self._verdict(c, chosen, limit) for c in candidates})

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return the confidence gained; where the model kept is too slow for the slack, the share of time saved."""
        if kept.latency > (1.0 + self.slack) * chosen.latency:
            return 1.0 - chosen.latency / kept.latency
        return chosen.confidence - kept.confidence

    def _verdict(self, candidate: Candidate, chosen: Candidate, limit: float) -> Verdict:
        if candidate is chosen:
            return Verdict.CHOSEN
        if candidate.latency > limit:
            return Verdict.TOO_SLOW
        if candidate.confidence > chosen.confidence:
            return Verdict.NO_GAIN
        return Verdict.LESS_CONFIDENT
