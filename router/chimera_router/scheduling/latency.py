"""Estimate how long a workflow would still take on one endpoint.

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
        priority: The number that would be sent to the engine's queue.
        prediction: Tokens that the model would generate.
    """

    prompt_tokens: int
    cached_share: float
    priority: int
    prediction: ModelPrediction


def occupancy(state: EndpointState) -> int:
    """Return the requests on the endpoint: this picker's own, and what its metrics show beyond them."""
    return len(state.in_flight) + _foreign(state)


def estimate(state: EndpointState, coefficients: Coefficients, demand: Demand) -> float:
    """Return the seconds until the workflow's last token, were this request sent to the endpoint now."""
    beside = min(occupancy(state), coefficients.max_num_seqs - 1)
    prefill = coefficients.prefill_per_token * demand.prompt_tokens * (1.0 - demand.cached_share)
    decode = demand.prediction.remaining_tokens * coefficients.step(beside + 1)
    return _wait(state, coefficients, demand) + prefill + decode


def _foreign(state: EndpointState) -> int:
    """Return requests that others sent: direct clients, other picker replicas."""
    if state.metrics is None:
        return 0
    return max(0, state.metrics.running + state.metrics.waiting - len(state.in_flight))


def _wait(state: EndpointState, coefficients: Coefficients, demand: Demand) -> float:
    """Return the seconds in the engine's queue: nothing while it has a slot and room in its KV cache."""
    if _has_room(state, coefficients, demand):
        return 0.0
    return _tokens_ahead(state, demand) / coefficients.tokens_per_second()


def _has_room(state: EndpointState, coefficients: Coefficients, demand: Demand) -> bool:
    if occupancy(state) >= coefficients.max_num_seqs:
        return False
    own = sum(request.context for request in state.in_flight)
    used = max(own, (state.metrics.kv_usage if state.metrics else 0.0) * coefficients.kv_tokens)
    return used + demand.prompt_tokens + demand.prediction.stage_tokens <= coefficients.kv_tokens


def _tokens_ahead(state: EndpointState, demand: Demand) -> float:
    """Return the tokens of requests that stand before this one; foreign ones are taken to be like our own."""
    ahead = [request.tokens for request in state.in_flight if request.priority <= demand.priority]
    tokens = [request.tokens for request in state.in_flight]
    mean = sum(tokens) / len(tokens) if tokens else demand.prediction.stage_tokens
    return sum(ahead) + _foreign(state) * mean
