"""Choose the model from one candidate for each: the paper's rule, and the baselines it is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chimera_router.scheduling.latency import occupancy
from chimera_router.scheduling.types import EndpointState, Model, ModelPrediction, SchedulingRequest, Verdict

DEFAULT_SLACK = 1.5
"""Share by which a model may be slower than the fastest; 1.5 admits 2.5 times its latency: what a 70B model on four
cards takes beside a 7B one on one while both are idle, by their step times. Under load it drops out by itself."""

DEFAULT_MIN_GAIN = 0.02
"""Confidence by which a model must beat the fastest; about the calibration error of the default bundle, so that noise
buys nobody a slower answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model on its best endpoint. Latency in seconds."""

    model: Model
    state: EndpointState
    latency: float
    prediction: ModelPrediction


@dataclass(frozen=True, slots=True)
class Choice:
    """The model taken, None where the policy takes none of them, and why each other was not."""

    chosen: Candidate | None
    verdicts: dict[str, Verdict]


class Policy(Protocol):
    """A rule that picks one model.

    Attributes:
        name: What decisions, metrics and reports call it.
        ordered: Whether engines are told which request goes first; a baseline knows no lengths and leaves queues alone.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above

    @property
    def ordered(self) -> bool: ...  # noqa: D102 - described above

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        """Return the choice among candidates, which come in the pool's order and are never empty."""


def _only(chosen: Candidate | None, candidates: Sequence[Candidate]) -> Choice:
    verdicts = dict.fromkeys((candidate.model.name for candidate in candidates), Verdict.NOT_ASKED)
    if chosen:
        verdicts[chosen.model.name] = Verdict.CHOSEN
    return Choice(chosen, verdicts)


@dataclass(frozen=True, slots=True)
class Slack:
    """The most confident model among those nearly as fast as the fastest (arXiv 2603.22206).

    Under load the fastest model's rivals fall out of the slack one by one, so the set shrinks towards it by itself.
    """

    slack: float = DEFAULT_SLACK
    min_gain: float = DEFAULT_MIN_GAIN
    name: str = "slack"
    ordered: bool = True

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the most confident admitted model if it gains enough on the fastest, else the fastest."""
        fastest = min(candidates, key=lambda candidate: candidate.latency)
        limit = (1.0 + self.slack) * fastest.latency
        admitted = [candidate for candidate in candidates if candidate.latency <= limit]
        best = max(admitted, key=lambda candidate: (candidate.prediction.confidence, -candidate.latency))
        gains = best.prediction.confidence - fastest.prediction.confidence >= self.min_gain
        chosen = best if gains else fastest
        return Choice(chosen, {c.model.name: self._verdict(c, chosen, limit) for c in candidates})

    def _verdict(self, candidate: Candidate, chosen: Candidate, limit: float) -> Verdict:
        if candidate is chosen:
            return Verdict.CHOSEN
        if candidate.latency > limit:
            return Verdict.TOO_SLOW
        if candidate.prediction.confidence > chosen.prediction.confidence:
            return Verdict.NO_GAIN
        return Verdict.LESS_CONFIDENT


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Models in turn, one for each workflow: what a gateway does that spreads blindly."""

    name: str = "round-robin"
    ordered: bool = False

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        """Return the candidate whose turn the workflow's ordinal is."""
        return _only(candidates[request.workflow % len(candidates)], candidates)


@dataclass(frozen=True, slots=True)
class LeastLoaded:
    """The model whose best endpoint has the fewest requests."""

    name: str = "least-loaded"
    ordered: bool = False

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the candidate with the fewest requests on its endpoint."""
        return _only(min(candidates, key=lambda candidate: occupancy(candidate.state)), candidates)


@dataclass(frozen=True, slots=True)
class Static:
    """Everything to one model."""

    model: str
    ordered: bool = False

    @property
    def name(self) -> str:
        """`static:` and the model."""
        return f"static:{self.model}"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the named model's candidate, or none while it has no endpoint."""
        return _only(next((c for c in candidates if c.model.name == self.model), None), candidates)
