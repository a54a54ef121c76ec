"""What a policy is given and gives back."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from chimera_router.scheduling.types import EndpointState, Model, ModelPrediction, SchedulingRequest, Verdict
from chimera_router.values import value


@value(kw_only=True)
class Candidate:
    """A model on its best endpoint.

    Attributes:
        latency: Seconds until the workflow's last token.
        delay: Seconds that the other requests there would lose to it, added up.
    """

    model: Model
    state: EndpointState
    latency: float
    delay: float
    prediction: ModelPrediction

    @property
    def confidence(self) -> float:
        """Chance that the workflow's answer is right."""
        return self.prediction.confidence

    @property
    def work(self) -> float:
        """Parameters, in billions, times the tokens that the workflow still needs."""
        return self.model.descriptor.parameters_b * self.prediction.remaining_tokens


@value
class Choice:
    """The model taken, None where the policy takes none of them, and why each other was not."""

    chosen: Candidate | None
    verdicts: dict[str, Verdict]


class Policy(Protocol):
    """A rule that picks one model. It never draws: what looks random comes from the workflow's number."""

    @property
    def name(self) -> str:
        """What decisions, metrics and reports call it."""

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        """Return the choice among candidates, which come in the pool's order and are never empty."""

    def gain(self, chosen: Candidate, kept: Candidate) -> float:
        """Return by how much one candidate beats another in the policy's own terms.

        A workflow's later stage leaves its model for the one chosen where this passes the margin of restaging.
        """


def only(chosen: Candidate | None, candidates: Iterable[Candidate]) -> Choice:
    """Return a choice that weighed nothing: the others were not asked."""
    verdicts = dict.fromkeys((candidate.model.name for candidate in candidates), Verdict.NOT_ASKED)
    if chosen:
        verdicts[chosen.model.name] = Verdict.CHOSEN
    return Choice(chosen, verdicts)
