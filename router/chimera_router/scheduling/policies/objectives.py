"""Policies that hold a service-level objective (SLO): the best that meets a target of latency or of confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from chimera_router.scheduling.policies.choice import Candidate, Choice
from chimera_router.scheduling.types import SchedulingRequest, Verdict


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """The most confident model that is expected to end in time; the fastest where none is.

    Attributes:
        seconds: Until the workflow's last token.
    """

    seconds: float
    name: str = "slo"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the most confident candidate in time, of equals the faster one."""
        in_time = [candidate for candidate in candidates if candidate.latency <= self.seconds]
        if in_time:
            chosen = max(in_time, key=lambda candidate: (candidate.confidence, -candidate.latency))
        else:
            chosen = min(candidates, key=lambda candidate: candidate.latency)
        return Choice(chosen, {candidate.model.name: self._verdict(candidate, chosen) for candidate in candidates})

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return the confidence gained; where the model kept would be late, the share of time saved."""
        if kept.latency > self.seconds:
            return 1.0 - chosen.latency / kept.latency
        return chosen.confidence - kept.confidence

    def _verdict(self, candidate: Candidate, chosen: Candidate) -> Verdict:
        if candidate is chosen:
            return Verdict.CHOSEN
        return Verdict.TOO_SLOW if candidate.latency > self.seconds else Verdict.LESS_CONFIDENT


@dataclass(frozen=True, slots=True)
class ConfidenceObjective:
    """The cheapest model, in parameters times tokens, that is confident enough; the most confident where none is.

    Attributes:
        confidence: Chance of a right answer, 0 to 1.
    """

    confidence: float
    name: str = "slo"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the cheapest confident candidate, of equals the faster one."""
        enough = [candidate for candidate in candidates if candidate.confidence >= self.confidence]
        if enough:
            chosen = min(enough, key=lambda candidate: (candidate.work, candidate.latency))
        else:
            chosen = max(candidates, key=lambda candidate: (candidate.confidence, -candidate.latency))
        return Choice(chosen, {candidate.model.name: self._verdict(candidate, chosen) for candidate in candidates})

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return the confidence gained where the model kept has too little, else the share of cost saved."""
        if kept.confidence < self.confidence:
            return chosen.confidence - kept.confidence
        return 1.0 - chosen.work / kept.work if kept.work else 0.0

    def _verdict(self, candidate: Candidate, chosen: Candidate) -> Verdict:
        if candidate is chosen:
            return Verdict.CHOSEN
        return Verdict.LESS_CONFIDENT if candidate.confidence < self.confidence else Verdict.TOO_DEAR
