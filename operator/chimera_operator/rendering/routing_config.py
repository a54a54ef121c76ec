"""From a pool to the routing part of its RouterConfig: proto3's JSON mapping, as plain data."""

from collections.abc import Mapping
from typing import Any

from chimera_operator.api.flow_control import FlowControl
from chimera_operator.api.pool import HeterogeneousModelPool

_ORDERS = {
    "RemainingFirst": "ORDER_REMAINING_FIRST",
    "StageFirst": "ORDER_STAGE_FIRST",
    "Attained": "ORDER_ATTAINED",
    "Arrival": "ORDER_ARRIVAL",
}


def routing_config(pool: HeterogeneousModelPool, *, speed: float) -> dict[str, Any]:
    """Return the routing part.

    Engines that run `speed` times faster finish as many times more tokens while a request ages one second, and a second
    of theirs is worth as many times more: so aging and prices per second rise with the speed, and targets in seconds
    fall.

    Args:
        pool: The pool.
        speed: How many times faster than real the engines run; 1 unless they are simulated.
    """
    routing = pool.spec.routing
    rendered = {
        **_policy(pool, speed),
        "agingRate": routing.aging_rate * speed,
        "order": _ORDERS[routing.order],
    }
    if routing.restage:
        rendered["restage"] = _given(margin=routing.restage_margin)
    if routing.flow_control.enabled:
        rendered["flowControl"] = _flow_control(routing.flow_control, speed)
    if routing.fallback_endpoints:
        rendered["fallbackEndpoints"] = routing.fallback_endpoints
    return rendered


def _flow_control(flow_control: FlowControl, speed: float) -> dict[str, Any]:
    given = flow_control.model_dump(by_alias=True, exclude_none=True)
    return {**given, "ttl": flow_control.ttl / speed}


def _policy(pool: HeterogeneousModelPool, speed: float) -> dict[str, Any]:
    routing = pool.spec.routing
    match routing.policy:
        case "Slack":
            return {"slack": _given(slack=routing.slack, minGain=routing.min_gain)}
        case "Marginal":
            held = _faster(routing.hold_latency_seconds, 1.0 / speed)
            price = _faster(routing.price, speed)
            return {"marginal": _given(price=price, latencyTargetSeconds=held, scoreTarget=routing.hold_score)}
        case "Utility":
            price = _faster(routing.latency_price, speed)
            return {"utility": _given(latencyPrice=price, costPrice=routing.cost_price)}
        case "LatencyObjective":
            return {"latencyObjective": _given(seconds=_faster(routing.target_latency_seconds, 1.0 / speed))}
        case "ConfidenceObjective":
            return {"confidenceObjective": _given(confidence=routing.target_confidence)}
        case _:
            return _baseline(pool)


def _baseline(pool: HeterogeneousModelPool) -> dict[str, Any]:
    routing, models = pool.spec.routing, pool.spec.models
    match routing.policy:
        case "Static":
            return {"static": {"model": routing.static_model}}
        case "Random":
            return {"random": {"weights": dict(routing.weights or {})}}
        case "Threshold":
            small, large = routing.small_model or models[0].name, routing.large_model or models[-1].name
            return {"threshold": {"small": small, "large": large, "gain": routing.gain_needed}}
        case "RoundRobin":
            return {"roundRobin": {}}
        case "LeastLoaded":
            return {"leastLoaded": {}}
        case _:
            return {"fastest": {}}


def _given(**fields: float | None) -> Mapping[str, float]:
    """Return the fields that are set; what is unset stays the router's to decide."""
    return {name: value for name, value in fields.items() if value is not None}


def _faster(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
