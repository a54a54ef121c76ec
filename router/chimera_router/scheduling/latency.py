"""Estimate what a request costs on one endpoint: the seconds its workflow would take, and those that others would lose.

`latency = wait + c·prompt·(1 − cached share) + L·step(b + 1)`: the queue, the prefill, then every remaining token at
the pace of a batch that this request joins. One formula for every engine, with coefficients that belong to the engine.
"""

from chimera_router.scheduling.types import Coefficients, EndpointState
from chimera_router.values import value


@value(kw_only=True)
class Demand:
    """What a request asks of one model's engines, worked out once for all of them.

    Attributes:
        coefficients: Of the engines.
        prefill: Seconds for the part of the prompt that no cache holds.
        tokens: Output tokens of this request alone.
        remaining: Output tokens of this and all later requests of the workflow.
        spare_context: KV tokens that may be held by others for this request to find room.
        rank: The number that would be sent to the engine's queue; None where it serves in order of arrival.
    """

    coefficients: Coefficients
    prefill: float
    tokens: float
    remaining: float
    spare_context: float
    rank: int | None


def occupancy(state: EndpointState) -> int:
    """Return the requests on the endpoint: this picker's own, and the foreign ones that its metrics show."""
    metrics = state.metrics
    if metrics is None:
        return state.load.requests
    foreign = metrics.running + metrics.waiting - metrics.own
    if foreign > 0:
        return state.load.requests + foreign
    return state.load.requests


def estimate(state: EndpointState, demand: Demand) -> float:
    """Return the seconds until the workflow's last token, were this request sent to the endpoint now."""
    coefficients, there = demand.coefficients, occupancy(state)
    if _has_room(state, demand, there):
        return demand.prefill + demand.remaining * _step(state, coefficients, there + 1)
    batch, _, tokens = _line(state, demand, there)
    return demand.prefill + (tokens / batch + demand.remaining) * _step(state, coefficients, batch)


def delay(state: EndpointState, demand: Demand) -> float:
    """Return the seconds that all other requests on the endpoint together would lose to this one.

    Every step of its workflow is longer by `b2` for each request that runs beside it, its prefill stalls them, and
    those that stand behind it in the queue wait for the tokens that it takes of the engine's rate.
    """
    coefficients, there = demand.coefficients, occupancy(state)
    each = demand.remaining * coefficients.per_sequence + demand.prefill
    if _has_room(state, demand, there):
        return there * each
    batch, behind, _ = _line(state, demand, there)
    return min(there, batch) * each + behind * demand.remaining * _step(state, coefficients, batch) / batch


def _step(state: EndpointState, coefficients: Coefficients, batch: int) -> float:
    """Return the seconds of a step, with what others' prompts stall it on average."""
    stall = coefficients.prefill_per_token * state.load.prefill
    return coefficients.base_step + coefficients.per_sequence * batch + stall


def _has_room(state: EndpointState, demand: Demand, there: int) -> bool:
    coefficients, metrics = demand.coefficients, state.metrics
    if there >= coefficients.max_num_seqs or state.load.context > demand.spare_context:
        return False
    return metrics is None or metrics.kv_usage * coefficients.kv_tokens <= demand.spare_context


def _line(state: EndpointState, demand: Demand, there: int) -> tuple[int, int, float]:
    """Return the batch of an engine without room, those who would wait behind this request, the tokens before it.

    Before it stand the queued requests of lower rank, and of the running ones the one that leaves its slot next.
    Foreign requests stand before it, their rank being unknown, and are taken to be like the mean of our own.
    """
    load = state.load
    batch = _batch(state, demand.coefficients, there)
    queued = there - batch
    own = len(load.queue.ranks)
    mean = load.tokens / load.requests if load.requests else demand.tokens
    if queued <= 0:
        return batch, 0, mean
    ahead, tokens = load.queue.ahead(demand.rank, queued)
    if queued > own:
        return batch, own - ahead, tokens + (queued - own + 1) * mean
    return batch, queued - ahead, tokens + mean


def _batch(state: EndpointState, coefficients: Coefficients, there: int) -> int:
    """Return the requests that run at once in an engine without room: its limit, or as many as its KV cache holds."""
    load, metrics, limit = state.load, state.metrics, coefficients.max_num_seqs
    if metrics is not None and metrics.waiting:
        there = metrics.running
    elif load.context > coefficients.kv_tokens:
        there = coefficients.kv_tokens * load.requests // load.context
    if there >= limit:
        return limit
    return there or 1
