"""What Chimera is measured against: rules that leave out confidence, latency or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from chimera_router.scheduling.latency import occupancy
from chimera_router.scheduling.policies.choice import Candidate, Choice, only
from chimera_router.scheduling.types import SchedulingRequest

_WORD = 2**64


class _Settled:
    """A workflow under such a rule has no reason to leave its model."""

    __slots__ = ()

    def gain(self, chosen: Candidate, kept: Candidate) -> float:  # noqa: ARG002 - the policies' interface
        """Return nothing gained."""
        return 0.0


@dataclass(frozen=True, slots=True)
class RoundRobin(_Settled):
    """Models in turn, one for each workflow: what a gateway does that spreads blindly."""

    name: str = "round-robin"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        """Return the candidate whose turn the workflow's ordinal is."""
        return only(candidates[request.workflow % len(candidates)], candidates)


@dataclass(frozen=True, slots=True)
class LeastLoaded(_Settled):
    """The model whose best endpoint has the fewest requests."""

    name: str = "least-loaded"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the candidate with the fewest requests on its endpoint."""
        return only(min(candidates, key=lambda candidate: occupancy(candidate.state)), candidates)


@dataclass(frozen=True, slots=True)
class Fastest(_Settled):
    """The model with the least estimated latency, whatever its confidence: a predictor of lengths without a router."""

    name: str = "fastest"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the candidate of the least latency."""
        return only(min(candidates, key=lambda candidate: candidate.latency), candidates)


@dataclass(frozen=True, slots=True)
class Static(_Settled):
    """Everything to one model."""

    model: str

    @property
    def name(self) -> str:
        """`static:` and the model."""
        return f"static:{self.model}"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return the named model's candidate, or none while it has no endpoint."""
        return only(_named(self.model, candidates), candidates)


@dataclass(frozen=True, slots=True)
class Random(_Settled):
    """Models by lot, with weights; one draw a workflow.

    Attributes:
        weights: Of each model; one that is not named is never drawn. Only their ratios count.
        seed: Another one draws other lots.
    """

    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    seed: int = 0
    name: str = "random"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        """Return the candidate that the workflow's lot falls on, or none while no weighted model has an endpoint."""
        drawn = [candidate for candidate in candidates if self.weights.get(candidate.model.name, 0.0) > 0.0]
        ends = list(accumulate(self.weights[candidate.model.name] for candidate in drawn))
        if not ends:
            return only(None, candidates)
        lot = _uniform(request.workflow, self.seed) * ends[-1]
        return only(next(c for c, end in zip(drawn, ends, strict=True) if lot < end), candidates)


@dataclass(frozen=True, slots=True)
class Threshold(_Settled):
    """The strong model where it is predicted to gain enough on the weak one (RouteLLM, arXiv 2406.18665).

    Attributes:
        small: The weak model.
        large: The strong model.
        gain_needed: Confidence by which the strong one must pass the weak one.
    """

    small: str
    large: str
    gain_needed: float
    name: str = "threshold"

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:  # noqa: ARG002 - the policies' interface
        """Return one of the two; the other one while its rival has no endpoint."""
        small, large = _named(self.small, candidates), _named(self.large, candidates)
        if small is None or large is None:
            return only(small or large, candidates)
        gains = large.confidence - small.confidence >= self.gain_needed
        return only(large if gains else small, candidates)


def _named(model: str, candidates: Sequence[Candidate]) -> Candidate | None:
    return next((candidate for candidate in candidates if candidate.model.name == model), None)


def _uniform(number: int, seed: int) -> float:
    """Return a number in [0, 1) that looks drawn: one step of SplitMix64 (Steele et al., OOPSLA 2014)."""
    word = (number + seed * 0xD1342543DE82EF95 + 1) * 0x9E3779B97F4A7C15 % _WORD
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % _WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB % _WORD
    return (word ^ word >> 31) / _WORD
