"""Read the routing part of a RouterConfig into the scheduler it asks for."""

import math
from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from chimera_proto.config.v1alpha1 import router_config_pb2 as proto
from chimera_router.errors import ConfigError
from chimera_router.scheduling import orders, policies, targets
from chimera_router.scheduling.scheduler import DEFAULT_RESTAGE_MARGIN, Scheduler
from chimera_router.scheduling.types import Model

_Models = Mapping[str, Model]
_Reader = Callable[[proto.Routing, _Models], policies.Policy]


MOST_FALLBACKS = 8  # endpoints after the first; a request that nine engines cannot take is not saved by a tenth


def scheduler(message: proto.Routing, models: _Models) -> Scheduler:
    """Return the scheduler.

    Args:
        message: The routing part.
        models: The models of the pool by name.

    Raises:
        ConfigError: It breaks a rule.
    """
    read = _READERS[message.WhichOneof("policy") or "marginal"]
    if not 0 <= message.fallback_endpoints <= MOST_FALLBACKS:
        raise ConfigError(f"routing.fallbackEndpoints: must be at least 0 and at most {MOST_FALLBACKS}")
    return Scheduler(
        policy=read(message, models),
        order=_order(message),
        restage=_restage(message),
        fallbacks=message.fallback_endpoints,
    )


def target(message: proto.Routing) -> targets.Target | None:
    """Return what the price of the policy `marginal` is steered to hold; None where it stays.

    Raises:
        ConfigError: It breaks a rule.
    """
    given = message.marginal
    match given.WhichOneof("target"):
        case "latency_target_seconds":
            seconds = given.latency_target_seconds
            if not (math.isfinite(seconds) and seconds > 0):
                raise ConfigError("routing.marginal.latencyTargetSeconds: must be above zero")
            return targets.LatencyTarget(seconds)
        case "score_target":
            if not 0 < given.score_target < 1:
                raise ConfigError("routing.marginal.scoreTarget: must be above 0 and below 1")
            return targets.ScoreTarget(given.score_target)
        case _:
            return None


def _order(message: proto.Routing) -> orders.Order:
    aging_rate = _number(message, "aging_rate", at="agingRate", unset=orders.DEFAULT_AGING_RATE)
    match message.order:
        case proto.ORDER_STAGE_FIRST:
            return orders.StageFirst(aging_rate)
        case proto.ORDER_ATTAINED:
            return orders.Attained()
        case proto.ORDER_ARRIVAL:
            return orders.Arrival()
        case _:
            return orders.RemainingFirst(aging_rate)


def _restage(message: proto.Routing) -> float | None:
    if not message.HasField("restage"):
        return None
    return _number(message.restage, "margin", at="restage.margin", unset=DEFAULT_RESTAGE_MARGIN)


def _slack(message: proto.Routing, _: _Models) -> policies.Policy:
    slack = _number(message.slack, "slack", at="slack.slack", unset=policies.DEFAULT_SLACK)
    min_gain = _number(message.slack, "min_gain", at="slack.minGain", unset=policies.DEFAULT_MIN_GAIN, most=1.0)
    return policies.Slack(slack, min_gain)


def _marginal(message: proto.Routing, _: _Models) -> policies.Policy:
    return policies.Marginal(_number(message.marginal, "price", at="marginal.price", unset=policies.DEFAULT_PRICE))


def _utility(message: proto.Routing, models: _Models) -> policies.Policy:
    given, at = message.utility, "utility"
    latency = _number(given, "latency_price", at=f"{at}.latencyPrice", unset=policies.DEFAULT_PRICE)
    cost = _number(given, "cost_price", at=f"{at}.costPrice", unset=policies.DEFAULT_COST_PRICE)
    if cost:
        _sized(models, at=f"{at}.costPrice")
    return policies.Utility(latency, cost)


def _latency_objective(message: proto.Routing, _: _Models) -> policies.Policy:
    seconds = message.latency_objective.seconds
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError("routing.latencyObjective.seconds: must be above zero")
    return policies.LatencyObjective(seconds)


def _confidence_objective(message: proto.Routing, models: _Models) -> policies.Policy:
    confidence = message.confidence_objective.confidence
    if not 0 < confidence <= 1:
        raise ConfigError("routing.confidenceObjective.confidence: must be above 0 and at most 1")
    _sized(models, at="confidenceObjective")
    return policies.ConfidenceObjective(confidence)


def _random(message: proto.Routing, models: _Models) -> policies.Policy:
    weights, at = dict(message.random.weights), "routing.random.weights"
    for name, weight in weights.items():
        _member(name, models, at=at)
        if not (math.isfinite(weight) and weight >= 0):
            raise ConfigError(f"{at}[{name!r}]: must be a finite number and not negative")
    if not any(weights.values()):
        raise ConfigError(f"{at}: at least one must be above zero")
    return policies.Random(weights)


def _threshold(message: proto.Routing, models: _Models) -> policies.Policy:
    given = message.threshold
    gain = given.gain
    if not -1 <= gain <= 1:
        raise ConfigError("routing.threshold.gain: must be between -1 and 1")
    small = _member(given.small, models, at="routing.threshold.small")
    return policies.Threshold(small, _member(given.large, models, at="routing.threshold.large"), gain)


def _static(message: proto.Routing, models: _Models) -> policies.Policy:
    return policies.Static(_member(message.static.model, models, at="routing.static.model"))


_READERS: Mapping[str, _Reader] = {
    "slack": _slack,
    "marginal": _marginal,
    "utility": _utility,
    "latency_objective": _latency_objective,
    "confidence_objective": _confidence_objective,
    "random": _random,
    "threshold": _threshold,
    "static": _static,
    "fastest": lambda _message, _models: policies.Fastest(),
    "round_robin": lambda _message, _models: policies.RoundRobin(),
    "least_loaded": lambda _message, _models: policies.LeastLoaded(),
}


def _number(message: Message, name: str, *, at: str, unset: float, most: float = math.inf) -> float:
    """Return an optional field, which must not be negative."""
    value: float = getattr(message, name) if message.HasField(name) else unset
    if not 0 <= value <= most or math.isinf(value):
        limit = "must be a finite number and must not be negative" if math.isinf(most) else "must be between 0 and 1"
        raise ConfigError(f"routing.{at}: {limit}")
    return value


def _member(name: str, models: _Models, *, at: str) -> str:
    if name not in models:
        raise ConfigError(f"{at}: names no model of the pool")
    return name


def _sized(models: _Models, *, at: str) -> None:
    """Refuse a price on parameters where a model's are not known: it would be free."""
    unknown = [name for name, model in models.items() if not model.descriptor.parameters_b > 0]
    if unknown:
        raise ConfigError(f"routing.{at}: needs descriptor.parametersB of every model, {unknown[0]!r} has none")
