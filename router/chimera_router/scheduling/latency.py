"""Estimate what a request costs on one endpoint: the seconds its workflow would take, and those that others would lose.

`latency = wait + c·prompt·(1 − cached share) + L·step(b + 1)`: the queue, the prefill, then every remaining token at
the pace of a batch that this request joins. One formula for every engine, with coefficients that belong to the engine.
"""

from dataclasses import dataclass

from chimera_router.scheduling.types import Coefficients, EndpointState, ModelPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a request asks of an engine.

    Attributes:
        prompt_tokens: Tokens of the whole prompt.
        cached_share: Share of them that the endpoint has in its prefix cache, 0 to 1.
        rank: The number that would be sent to the engine's queue; None where it serves in order of arrival.
        prediction: Tokens that the model would generate.
    """

    prompt_tokens: int
    cached_share: float
    rank: int | None
    prediction: ModelPrediction


def occupancy(state: EndpointState) -> int:
    """Return the requests on the endpoint: this picker's own, and what its metrics show beyond them.

    Those beyond are foreign: direct clients' and other picker replicas'.
    """
    own, metrics = state.load.requests, state.metrics
    if metrics is None:
        return own
    return max(own, metrics.running + metrics.waiting)


def estimate(state: EndpointState, coefficients: Coefficients, demand: Demand) -> float:
    """Return the seconds until the workflow's last token, were this request sent to the endpoint now."""
    there = occupancy(state)
    wait, batch = 0.0, there + 1
    if not _has_room(state, coefficients, demand, there):
        slots = _slots(state, coefficients, there)
        wait, batch = _wait(state, coefficients, demand, slots=slots), min(batch, slots)
    decode = demand.prediction.remaining_tokens * coefficients.step(batch)
    return wait + _prefill(coefficients, demand) + decode


def delay(state: EndpointState, coefficients: Coefficients, demand: Demand) -> float:
    """Return the seconds that all other requests on the endpoint together would lose to this one.

    Every step of its workflow is longer by `b2` for each request that runs beside it, its prefill stalls them, and
    those that stand behind it in the queue wait for the tokens that it takes of the engine's rate.
    """
    there = occupancy(state)
    remaining = demand.prediction.remaining_tokens
    slots = coefficients.max_num_seqs
    behind = 0.0
    if not _has_room(state, coefficients, demand, there):
        slots = _slots(state, coefficients, there)
        behind = _queued(there, slots) - _ahead(state, demand, slots=slots)[0]
    each = remaining * coefficients.per_sequence + _prefill(coefficients, demand)
    return min(there, slots) * each + behind * remaining * coefficients.step(slots) / slots


def _prefill(coefficients: Coefficients, demand: Demand) -> float:
    return coefficients.prefill_per_token * demand.prompt_tokens * (1.0 - demand.cached_share)


def _has_room(state: EndpointState, coefficients: Coefficients, demand: Demand, there: int) -> bool:
    if there >= coefficients.max_num_seqs:
        return False
    room = coefficients.kv_tokens - demand.prompt_tokens - demand.prediction.stage_tokens
    if state.load.context > room:
        return False
    return state.metrics is None or state.metrics.kv_usage * coefficients.kv_tokens <= room


def _slots(state: EndpointState, coefficients: Coefficients, there: int) -> int:
    """Return the requests that run at once in an engine without room: its limit, or as many as its KV cache holds."""
    load, metrics = state.load, state.metrics
    if metrics is not None and metrics.waiting:
        fit = metrics.running
    elif load.context > coefficients.kv_tokens:
        fit = coefficients.kv_tokens * load.requests // load.context
    else:
        fit = there
    return max(1, min(fit, coefficients.max_num_seqs))


def _wait(state: EndpointState, coefficients: Coefficients, demand: Demand, *, slots: int) -> float:
    """Return the seconds in the queue: the tokens that stand before and the next slot's, at the engine's rate."""
    _, tokens = _ahead(state, demand, slots=slots)
    return (tokens + _mean_tokens(state, demand)) * coefficients.step(slots) / slots


def _ahead(state: EndpointState, demand: Demand, *, slots: int) -> tuple[float, float]:
    """Return the requests that wait before this one and their tokens; foreign ones are like the mean of our own."""
    queued, queue = _queued(occupancy(state), slots), state.load.queue
    own = min(queued, len(queue.places))
    requests, tokens = queue.ahead(demand.rank, waiting=own)
    foreign = queued - own
    return requests + foreign, tokens + foreign * _mean_tokens(state, demand)


def _queued(there: int, slots: int) -> int:
    return max(0, there - slots)


def _mean_tokens(state: EndpointState, demand: Demand) -> float:
    load = state.load
    return load.tokens / load.requests if load.requests else demand.prediction.stage_tokens
