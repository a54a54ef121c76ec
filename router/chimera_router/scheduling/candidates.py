"""Find every model's best endpoint for one request: the estimates of the decision, without its rules."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chimera_router.scheduling.latency import Demand, delay, estimate
from chimera_router.scheduling.orders import Order
from chimera_router.scheduling.policies import Candidate
from chimera_router.scheduling.types import (
    EndpointState,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    SchedulingRequest,
)

_Best = dict[str, tuple[float, EndpointState]]


def candidates(
    request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot, *, order: Order, oldest: float
) -> dict[str, Candidate]:
    """Return every model on its best endpoint, in the pool's order; models without a usable one are left out.

    The best is the workflow's own, where it is usable and of that model, else the one with the least latency.

    Args:
        request: What is asked.
        predictions: One for each model of the snapshot.
        snapshot: The pool at this moment.
        order: What gives the request its place in an engine's queue.
        oldest: Metrics scraped before this moment are treated as unknown.
    """
    of = predictions.by_model
    demands = {name: _demand(request, model, of[name], order) for name, model in snapshot.models.items()}
    usable = _usable(request, snapshot, oldest)
    best = _best(usable, demands, home=request.assignment.endpoint if request.assignment else None)
    return {
        name: _candidate(request, model, of[name], demands[name], *best[name])
        for name, model in snapshot.models.items()
        if name in best
    }


def others(
    request: SchedulingRequest, chosen: Candidate, snapshot: PoolSnapshot, *, order: Order, oldest: float
) -> list[EndpointState]:
    """Return the model's other usable endpoints, that with the least latency first; arguments as for `candidates`."""
    demand = _demand(request, chosen.model, chosen.prediction, order)
    name, address = chosen.model.name, chosen.state.endpoint.address
    states = [state for state in _usable(request, snapshot, oldest) if state.endpoint.model == name]
    return sorted(
        (state for state in states if state.endpoint.address != address), key=lambda state: estimate(state, demand)
    )


def cached_tokens(request: SchedulingRequest, state: EndpointState) -> int:
    """Return the tokens of the prompt that the endpoint has seen in the workflow's earlier stages."""
    assignment = request.assignment
    if assignment is None or assignment.endpoint != state.endpoint.address:
        return 0
    return min(assignment.seen_tokens, request.prompt_tokens)


def _demand(request: SchedulingRequest, model: Model, prediction: ModelPrediction, order: Order) -> Demand:
    coefficients = model.coefficients
    return Demand(
        coefficients=coefficients,
        prefill=coefficients.prefill_per_token * request.prompt_tokens,
        tokens=prediction.stage_tokens,
        remaining=prediction.remaining_tokens,
        spare_context=coefficients.kv_tokens - request.prompt_tokens - prediction.stage_tokens,
        rank=order.rank(request, prediction) if model.priority else None,
    )


def _usable(request: SchedulingRequest, snapshot: PoolSnapshot, oldest: float) -> Iterator[EndpointState]:
    """Yield endpoints that are ready and allowed, without metrics too old to be believed."""
    subset = request.subset
    for state in snapshot.endpoints:
        if not state.ready or (subset is not None and state.endpoint.address not in subset):
            continue
        if state.metrics is not None and state.metrics.scraped_at < oldest:
            yield replace(state, metrics=None)
        else:
            yield state


def _best(usable: Iterator[EndpointState], demands: Mapping[str, Demand], *, home: str | None) -> _Best:
    best: _Best = {}
    own: _Best = {}
    for state in usable:
        endpoint = state.endpoint
        name = endpoint.model
        latency = estimate(state, demands[name])
        held = best.get(name)
        if held is None or latency < held[0]:
            best[name] = latency, state
        if endpoint.address == home:
            own[name] = latency, state
    return best | own


def _candidate(  # noqa: PLR0913, PLR0917 - gathers what the steps above found
    request: SchedulingRequest,
    model: Model,
    prediction: ModelPrediction,
    demand: Demand,
    latency: float,
    state: EndpointState,
) -> Candidate:
    cached = cached_tokens(request, state)
    if cached:
        demand = replace(demand, prefill=demand.prefill * (1.0 - cached / request.prompt_tokens))
        latency = estimate(state, demand)
    return Candidate(model=model, state=state, latency=latency, delay=delay(state, demand), prediction=prediction)
