from typing import Any

import pytest
from google.protobuf import json_format
from pools import model

from chimera_proto.config.v1alpha1.router_config_pb2 import Routing
from chimera_router.errors import ConfigError
from chimera_router.scheduler_settings import scheduler, target
from chimera_router.scheduling.orders import Arrival, Attained, Order, RemainingFirst, StageFirst
from chimera_router.scheduling.policies import (
    ConfidenceObjective,
    Fastest,
    LatencyObjective,
    LeastLoaded,
    Marginal,
    Policy,
    Random,
    RoundRobin,
    Slack,
    Static,
    Threshold,
    Utility,
)
from chimera_router.scheduling.scheduler import DEFAULT_RESTAGE_MARGIN, Scheduler
from chimera_router.scheduling.targets import LatencyTarget, ScoreTarget, Target

MODELS = {name: model(name, parameters_b=size) for name, size in {"small": 7.0, "large": 70.0}.items()}
UNSIZED = MODELS | {"mystery": model("mystery")}


def read(routing: dict[str, Any], models: dict[str, Any] = MODELS) -> Scheduler:
    return scheduler(json_format.ParseDict(routing, Routing()), models)


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ({}, Marginal()),
        ({"slack": {"slack": 0.5, "minGain": 0}}, Slack(0.5, 0.0)),
        ({"marginal": {}}, Marginal()),
        ({"marginal": {"price": 0}}, Marginal(0.0)),
        ({"utility": {"latencyPrice": 0.1}}, Utility(0.1, 0.0)),
        ({"utility": {"latencyPrice": 0.1, "costPrice": 0.2}}, Utility(0.1, 0.2)),
        ({"latencyObjective": {"seconds": 3}}, LatencyObjective(3.0)),
        ({"confidenceObjective": {"confidence": 0.7}}, ConfidenceObjective(0.7)),
        ({"roundRobin": {}}, RoundRobin()),
        ({"leastLoaded": {}}, LeastLoaded()),
        ({"fastest": {}}, Fastest()),
        ({"static": {"model": "small"}}, Static("small")),
        ({"random": {"weights": {"small": 1, "large": 3}}}, Random({"small": 1.0, "large": 3.0})),
        ({"threshold": {"small": "small", "large": "large", "gain": 0.1}}, Threshold("small", "large", 0.1)),
    ],
)
def test_each_policy_can_be_chosen(routing: dict[str, Any], expected: Policy) -> None:
    """Every policy is reached with its numbers; zero is a value, not an absence."""
    assert read(routing).policy == expected


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ({}, RemainingFirst()),
        ({"agingRate": 0}, RemainingFirst(0.0)),
        ({"order": "ORDER_REMAINING_FIRST", "agingRate": 5}, RemainingFirst(5.0)),
        ({"order": "ORDER_STAGE_FIRST", "agingRate": 5}, StageFirst(5.0)),
        ({"order": "ORDER_ATTAINED", "agingRate": 5}, Attained()),
        ({"order": "ORDER_ARRIVAL"}, Arrival()),
    ],
)
def test_each_order_can_be_chosen(routing: dict[str, Any], expected: Order) -> None:
    """The order is chosen beside the policy, and aging belongs to the orders by length."""
    assert read(routing).order == expected


@pytest.mark.parametrize(
    ("routing", "expected"),
    [({}, None), ({"restage": {}}, DEFAULT_RESTAGE_MARGIN), ({"restage": {"margin": 0}}, 0.0)],
)
def test_restaging_is_asked_for(routing: dict[str, Any], expected: float | None) -> None:
    """Workflows keep their model unless restaging is there, with a margin or the default one."""
    assert read(routing).restage == expected


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ({}, None),
        ({"slack": {}}, None),
        ({"marginal": {"price": 0.02}}, None),
        ({"marginal": {"latencyTargetSeconds": 4}}, LatencyTarget(4.0)),
        ({"marginal": {"price": 0.02, "scoreTarget": 0.7}}, ScoreTarget(0.7)),
    ],
)
def test_price_is_steered_where_a_target_says_so(routing: dict[str, Any], expected: Target | None) -> None:
    """A price beside a target is where steering begins."""
    assert target(json_format.ParseDict(routing, Routing())) == expected


@pytest.mark.parametrize(
    ("marginal", "rule"),
    [
        ({"latencyTargetSeconds": 0}, "latencyTargetSeconds: must be above zero"),
        ({"latencyTargetSeconds": "NaN"}, "latencyTargetSeconds: must be above zero"),
        ({"scoreTarget": 1}, "scoreTarget: must be above 0 and below 1"),
        ({"scoreTarget": -0.1}, "scoreTarget: must be above 0 and below 1"),
    ],
)
def test_target_out_of_range_is_refused(marginal: dict[str, Any], rule: str) -> None:
    """Nobody answers in no time, and a score of 1 would stop at no price."""
    with pytest.raises(ConfigError, match=f"routing.marginal.{rule}"):
        target(json_format.ParseDict({"marginal": marginal}, Routing()))


@pytest.mark.parametrize(
    ("routing", "rule"),
    [
        ({"agingRate": -1}, "routing.agingRate: must be a finite number and must not be negative"),
        ({"agingRate": "Infinity"}, "routing.agingRate: must be a finite number"),
        ({"slack": {"slack": -1}}, "routing.slack.slack: must be a finite number and must not be negative"),
        ({"slack": {"minGain": 2}}, "routing.slack.minGain: must be between 0 and 1"),
        ({"marginal": {"price": "NaN"}}, "routing.marginal.price: must be a finite number"),
        ({"utility": {"latencyPrice": -1}}, "routing.utility.latencyPrice: must be a finite number"),
        ({"utility": {"costPrice": -1}}, "routing.utility.costPrice: must be a finite number"),
        ({"latencyObjective": {}}, "routing.latencyObjective.seconds: must be above zero"),
        ({"latencyObjective": {"seconds": "Infinity"}}, "routing.latencyObjective.seconds: must be above zero"),
        ({"confidenceObjective": {}}, "routing.confidenceObjective.confidence: must be above 0 and at most 1"),
        ({"confidenceObjective": {"confidence": 1.5}}, "must be above 0 and at most 1"),
        ({"random": {}}, "routing.random.weights: at least one must be above zero"),
        ({"random": {"weights": {"nobody": 1}}}, "routing.random.weights: names no model of the pool"),
        ({"random": {"weights": {"small": -1}}}, r"routing.random.weights\['small'\]: must be a finite number"),
        ({"threshold": {"small": "small", "large": "x"}}, "routing.threshold.large: names no model of the pool"),
        ({"threshold": {"large": "large"}}, "routing.threshold.small: names no model of the pool"),
        ({"threshold": {"small": "small", "large": "large", "gain": 2}}, "routing.threshold.gain: must be between"),
        ({"static": {"model": "nobody"}}, "routing.static.model: names no model of the pool"),
        ({"restage": {"margin": -0.1}}, "routing.restage.margin: must be a finite number"),
    ],
)
def test_broken_rule_is_named(routing: dict[str, Any], rule: str) -> None:
    """Numbers that make no sense are refused with their place and the rule."""
    with pytest.raises(ConfigError, match=rule):
        read(routing)


@pytest.mark.parametrize(
    ("routing", "rule"),
    [
        ({"utility": {"costPrice": 0.1}}, "routing.utility.costPrice: needs descriptor.parametersB of every model"),
        ({"confidenceObjective": {"confidence": 0.5}}, "routing.confidenceObjective: needs descriptor.parametersB"),
    ],
)
def test_price_on_parameters_needs_them(routing: dict[str, Any], rule: str) -> None:
    """A model of unknown size would be free, so a policy that counts cost refuses it by name."""
    with pytest.raises(ConfigError, match=f"{rule}.*'mystery' has none"):
        read(routing, UNSIZED)


def test_latency_alone_needs_no_sizes() -> None:
    """Utility without a price on cost asks for no parameters."""
    assert read({"utility": {}}, UNSIZED).policy == Utility()
