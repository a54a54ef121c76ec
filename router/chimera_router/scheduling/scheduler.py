"""Make the decision: request, predictions and snapshot in, destination and reasons out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from chimera_router.scheduling.latency import Demand, delay, estimate
from chimera_router.scheduling.orders import Order, RemainingFirst
from chimera_router.scheduling.policies import Candidate, Choice, Policy, Slack
from chimera_router.scheduling.types import (
    Decision,
    DropReason,
    EndpointState,
    Model,
    ModelPrediction,
    ModelVerdict,
    PoolSnapshot,
    Predictions,
    Reason,
    Rejection,
    SchedulingRequest,
    Verdict,
)

METRICS_MAX_AGE = 5.0  # seconds; five scrapes missed in a row, and the engine's word counts for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """The rules in force for one pool.

    Attributes:
        policy: Which model serves a request.
        order: Which request an engine serves first.
        restage: What the policy must gain for a later stage to leave its workflow's model; None never asks it again.
        metrics_max_age: Seconds after which an engine's metrics are treated as unknown.
    """

    policy: Policy = field(default_factory=Slack)
    order: Order = field(default_factory=RemainingFirst)
    restage: float | None = None
    metrics_max_age: float = METRICS_MAX_AGE

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
        candidates = self._candidates(request, predictions, snapshot, now)
        reason, choice = self._choose(request, candidates)
        if choice.chosen is None:
            return Rejection(reason=DropReason.NO_ENDPOINTS)
        return self._decision(request, predictions, snapshot, candidates, reason, choice)

    def _candidates(
        self, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot, now: float
    ) -> dict[str, Candidate]:
        """Return every model on its best endpoint, models without a usable one left out."""
        demands = {
            model.name: self._demand(request, model, predictions.by_model[model.name])
            for model in snapshot.models.values()
        }
        best = _best(request, snapshot.models, demands, self._usable(request, snapshot, now))
        return {
            name: _candidate(model, best[name], _at_home(request, demands[name], best[name]))
            for name, model in snapshot.models.items()
            if name in best
        }

    def _demand(self, request: SchedulingRequest, model: Model, prediction: ModelPrediction) -> Demand:
        rank = self.order.rank(request, prediction) if model.priority else None
        return Demand(prompt_tokens=request.prompt_tokens, cached_share=0.0, rank=rank, prediction=prediction)

    def _usable(self, request: SchedulingRequest, snapshot: PoolSnapshot, now: float) -> Iterator[EndpointState]:
        """Yield endpoints that are ready and allowed, without metrics too old to be believed."""
        subset, oldest = request.subset, now - self.metrics_max_age
        for state in snapshot.endpoints:
            if not state.ready or (subset is not None and state.endpoint.address not in subset):
                continue
            if state.metrics is not None and state.metrics.scraped_at < oldest:
                yield replace(state, metrics=None)
            else:
                yield state

    def _choose(self, request: SchedulingRequest, candidates: Mapping[str, Candidate]) -> tuple[Reason, Choice]:
        if request.pinned is not None:
            return Reason.PINNED, _settled(request.pinned, candidates)
        kept = candidates.get(request.assignment.model) if request.assignment is not None else None
        if kept is not None and self.restage is None:
            return Reason.WORKFLOW, _settled(kept.model.name, candidates)
        if not candidates:
            return Reason.POLICY, Choice(None, {})
        choice = self.policy.choose(list(candidates.values()), request)
        if kept is not None and not self._leaves(kept, choice):
            return Reason.WORKFLOW, _settled(kept.model.name, candidates)
        return (Reason.ONLY if len(candidates) == 1 else Reason.POLICY), choice

    def _leaves(self, kept: Candidate, choice: Choice) -> bool:
        if self.restage is None or choice.chosen is None or choice.chosen is kept:
            return False
        return self.policy.gain(choice.chosen, kept) > self.restage

    def _decision(  # noqa: PLR0913, PLR0917 - gathers what the steps above found
        self,
        request: SchedulingRequest,
        predictions: Predictions,
        snapshot: PoolSnapshot,
        candidates: Mapping[str, Candidate],
        reason: Reason,
        choice: Choice,
    ) -> Decision:
        chosen = choice.chosen
        if chosen is None:
            raise ValueError("a decision needs a chosen model")
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
            verdicts=tuple(_verdict(name, predictions, candidates, choice) for name in snapshot.models),
        )


def _best(
    request: SchedulingRequest,
    models: Mapping[str, Model],
    demands: Mapping[str, Demand],
    usable: Iterator[EndpointState],
) -> dict[str, EndpointState]:
    """Return each model's endpoint: the workflow's own where it is usable, else the fastest."""
    home = request.assignment.endpoint if request.assignment is not None else None
    best: dict[str, EndpointState] = {}
    least: dict[str, float] = {}
    for state in usable:
        name = state.endpoint.model
        latency = estimate(state, models[name].coefficients, demands[name])
        if state.endpoint.address == home:
            latency = -1.0
        if name not in least or latency < least[name]:
            best[name], least[name] = state, latency
    return best


def _at_home(request: SchedulingRequest, demand: Demand, state: EndpointState) -> Demand:
    """Return what the request asks of an endpoint that may have seen part of its prompt."""
    assignment = request.assignment
    if assignment is None or assignment.endpoint != state.endpoint.address or not request.prompt_tokens:
        return demand
    return replace(demand, cached_share=min(1.0, assignment.seen_tokens / request.prompt_tokens))


def _candidate(model: Model, state: EndpointState, demand: Demand) -> Candidate:
    return Candidate(
        model=model,
        state=state,
        latency=estimate(state, model.coefficients, demand),
        delay=delay(state, model.coefficients, demand),
        prediction=demand.prediction,
    )


def _settled(model: str, candidates: Mapping[str, Candidate]) -> Choice:
    """Return the choice that was made before this request came."""
    verdicts = dict.fromkeys(candidates, Verdict.NOT_ASKED)
    if model in candidates:
        verdicts[model] = Verdict.CHOSEN
    return Choice(candidates.get(model), verdicts)


def _verdict(model: str, predictions: Predictions, candidates: Mapping[str, Candidate], choice: Choice) -> ModelVerdict:
    candidate = candidates.get(model)
    prediction = predictions.by_model[model]
    return ModelVerdict(
        model=model,
        confidence=prediction.confidence,
        latency=candidate.latency if candidate else None,
        remaining_tokens=prediction.remaining_tokens,
        verdict=choice.verdicts.get(model, Verdict.NO_ENDPOINT),
    )
