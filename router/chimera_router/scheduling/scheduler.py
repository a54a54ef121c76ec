"""Make the decision: request, predictions and snapshot in, destination and reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chimera_router.scheduling.latency import Demand, estimate
from chimera_router.scheduling.policies import Candidate, Choice, Policy, Slack, Static
from chimera_router.scheduling.priority import DEFAULT_AGING_RATE, priority
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
        aging_rate: Tokens a second by which a waiting request improves.
        metrics_max_age: Seconds after which an engine's metrics are treated as unknown.
    """

    policy: Policy = field(default_factory=Slack)
    aging_rate: float = DEFAULT_AGING_RATE
    metrics_max_age: float = METRICS_MAX_AGE

    def schedule(
        self, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot, now: float
    ) -> Decision | Rejection:
        """Return where the request goes, or why nowhere.

        A pinned model is only given an endpoint; a later stage keeps its workflow's model; else the policy chooses.

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

    @property
    def only(self) -> str | None:
        """The only model that the policy ever takes; None for a policy that chooses."""
        return self.policy.model if isinstance(self.policy, Static) else None

    def rank(self, request: SchedulingRequest, prediction: ModelPrediction) -> float:
        """Return the place among requests that wait in the picker, lower first: in order, or as they came."""
        return self._priority(request, prediction) if self.policy.ordered else request.arrival

    def _candidates(
        self, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot, now: float
    ) -> dict[str, Candidate]:
        """Return every model's fastest endpoint, models without a usable one left out."""
        best: dict[str, Candidate] = {}
        for state in snapshot.endpoints:
            if not state.ready or not _allowed(request, state):
                continue
            model = snapshot.models[state.endpoint.model]
            candidate = self._candidate(request, predictions.by_model[model.name], model, self._believed(state, now))
            held = best.get(model.name)
            if held is None or _preferred(candidate, held, request):
                best[model.name] = candidate
        return {name: best[name] for name in snapshot.models if name in best}

    def _believed(self, state: EndpointState, now: float) -> EndpointState:
        if state.metrics is None or now - state.metrics.scraped_at <= self.metrics_max_age:
            return state
        return replace(state, metrics=None)

    def _candidate(
        self, request: SchedulingRequest, prediction: ModelPrediction, model: Model, state: EndpointState
    ) -> Candidate:
        demand = Demand(
            prompt_tokens=request.prompt_tokens,
            cached_share=_cached_share(request, state),
            priority=self._priority(request, prediction),
            prediction=prediction,
        )
        latency = estimate(state, model.coefficients, demand)
        return Candidate(model=model, state=state, latency=latency, prediction=prediction)

    def _priority(self, request: SchedulingRequest, prediction: ModelPrediction) -> int:
        remaining = prediction.remaining_tokens
        return priority(remaining_tokens=remaining, arrival=request.arrival, aging_rate=self.aging_rate)

    def _choose(self, request: SchedulingRequest, candidates: Mapping[str, Candidate]) -> tuple[Reason, Choice]:
        if request.pinned is not None:
            return Reason.PINNED, _settled(request.pinned, candidates)
        if request.assignment is not None and request.assignment.model in candidates:
            return Reason.WORKFLOW, _settled(request.assignment.model, candidates)
        if not candidates:
            return Reason.POLICY, Choice(None, {})
        choice = self.policy.choose(list(candidates.values()), request)
        return (Reason.ONLY if len(candidates) == 1 else Reason.POLICY), choice

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
        ordered = chosen.model.priority and self.policy.ordered
        return Decision(
            model=chosen.model.name,
            endpoint=chosen.state.endpoint,
            priority=self._priority(request, chosen.prediction) if ordered else None,
            policy=self.policy.name,
            reason=reason,
            prediction=chosen.prediction,
            latency=chosen.latency,
            source=predictions.source,
            application=predictions.application,
            verdicts=tuple(_verdict(name, predictions, candidates, choice) for name in snapshot.models),
        )


def _allowed(request: SchedulingRequest, state: EndpointState) -> bool:
    return request.subset is None or state.endpoint.address in request.subset


def _preferred(candidate: Candidate, held: Candidate, request: SchedulingRequest) -> bool:
    """Return whether to replace the endpoint held: the workflow's own stays, else the faster one wins."""
    own = request.assignment.endpoint if request.assignment else None
    if own in (candidate.state.endpoint.address, held.state.endpoint.address):
        return candidate.state.endpoint.address == own
    return candidate.latency < held.latency


def _cached_share(request: SchedulingRequest, state: EndpointState) -> float:
    assignment = request.assignment
    if assignment is None or assignment.endpoint != state.endpoint.address or not request.prompt_tokens:
        return 0.0
    return min(1.0, assignment.seen_tokens / request.prompt_tokens)


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
