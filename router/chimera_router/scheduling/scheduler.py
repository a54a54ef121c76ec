"""Make the decision: request, predictions and snapshot in, destination and reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chimera_router.scheduling.candidates import cached_tokens, candidates, others
from chimera_router.scheduling.orders import Order, RemainingFirst
from chimera_router.scheduling.policies import Candidate, Choice, Marginal, Policy
from chimera_router.scheduling.types import (
    Decision,
    DropReason,
    Endpoint,
    ModelVerdict,
    PoolSnapshot,
    Predictions,
    Reason,
    Rejection,
    SchedulingRequest,
    Verdict,
)

DEFAULT_RESTAGE_MARGIN = 0.05
"""Confidence that pays for leaving a workflow's model: its prefix is computed anew, and the other one has not seen what
the first was up to; more than twice the calibration error of the default bundle, so that noise moves nobody."""

METRICS_MAX_AGE = 5.0  # seconds; five scrapes missed in a row, and the engine's word counts for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """The rules in force for one pool.

    Attributes:
        policy: Which model serves a request.
        order: Which request an engine serves first.
        restage: What the policy must gain for a later stage to leave its workflow's model; None never asks it again.
        metrics_max_age: Seconds after which an engine's metrics are treated as unknown.
        fallbacks: Other endpoints that a decision names at most, for gateways that fall back from one to the next.
    """

    policy: Policy = field(default_factory=Marginal)
    order: Order = field(default_factory=RemainingFirst)
    restage: float | None = None
    metrics_max_age: float = METRICS_MAX_AGE
    fallbacks: int = 0

    def schedule(
        self, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot, now: float
    ) -> Decision | Rejection:
        """Return where the request goes, or why nowhere.

        A pinned model is only given an endpoint; a later stage keeps its workflow's model, unless restaging gains
        enough; else the policy chooses.

        Args:
            request: What is asked.
            predictions: One for each model of the snapshot.
            snapshot: The pool at this moment.
            now: Seconds on the clock that stamped the snapshot's metrics.
        """
        oldest = now - self.metrics_max_age
        found = candidates(request, predictions, snapshot, order=self.order, oldest=oldest)
        reason, choice = self._choose(request, found)
        if choice.chosen is None:
            return Rejection(reason=DropReason.NO_ENDPOINTS)
        chosen, verdicts = choice.chosen, choice.verdicts
        return Decision(
            model=chosen.model.name,
            endpoint=chosen.state.endpoint,
            priority=self.order.rank(request, chosen.prediction) if chosen.model.priority else None,
            policy=self.policy.name,
            reason=reason,
            prediction=chosen.prediction,
            latency=chosen.latency,
            source=predictions.source,
            application=predictions.application,
            cached_tokens=cached_tokens(request, chosen.state),
            fallbacks=self._fallbacks(request, chosen, snapshot, oldest) if self.fallbacks else (),
            verdicts=tuple(_verdict(name, predictions, found, verdicts) for name in snapshot.models),
        )

    def _fallbacks(
        self, request: SchedulingRequest, chosen: Candidate, snapshot: PoolSnapshot, oldest: float
    ) -> tuple[Endpoint, ...]:
        ranked = others(request, chosen, snapshot, order=self.order, oldest=oldest)
        return tuple(state.endpoint for state in ranked[: self.fallbacks])

    def _choose(self, request: SchedulingRequest, found: Mapping[str, Candidate]) -> tuple[Reason, Choice]:
        if request.pinned is not None:
            return Reason.PINNED, _settled(request.pinned, found)
        kept = found.get(request.assignment.model) if request.assignment is not None else None
        if kept is not None:
            return self._stay_or_leave(request, kept, found)
        if not found:
            return Reason.POLICY, Choice(None, {})
        choice = self.policy.choose(list(found.values()), request)
        return (Reason.ONLY if len(found) == 1 else Reason.POLICY), choice

    def _stay_or_leave(
        self, request: SchedulingRequest, kept: Candidate, found: Mapping[str, Candidate]
    ) -> tuple[Reason, Choice]:
        if self.restage is None:
            return Reason.WORKFLOW, _settled(kept.model.name, found)
        choice = self.policy.choose(list(found.values()), request)
        chosen = choice.chosen
        if chosen is None or chosen is kept:
            return Reason.WORKFLOW, _settled(kept.model.name, found)
        if self.policy.gain(chosen, kept) > self.restage:
            return Reason.POLICY, choice
        verdicts = choice.verdicts | {chosen.model.name: Verdict.NO_GAIN, kept.model.name: Verdict.CHOSEN}
        return Reason.WORKFLOW, Choice(kept, verdicts)


def _settled(model: str, found: Mapping[str, Candidate]) -> Choice:
    """Return the choice that was made before this request came."""
    verdicts = dict.fromkeys(found, Verdict.NOT_ASKED)
    if model in found:
        verdicts[model] = Verdict.CHOSEN
    return Choice(found.get(model), verdicts)


def _verdict(
    model: str, predictions: Predictions, found: Mapping[str, Candidate], verdicts: Mapping[str, Verdict]
) -> ModelVerdict:
    candidate = found.get(model)
    prediction = predictions.by_model[model]
    return ModelVerdict(
        model=model,
        confidence=prediction.confidence,
        latency=candidate.latency if candidate else None,
        delay=candidate.delay if candidate else None,
        remaining_tokens=prediction.remaining_tokens,
        verdict=verdicts.get(model, Verdict.NO_ENDPOINT),
    )
