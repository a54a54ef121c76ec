"""What a pool tells its picker."""

from typing import Any

import pytest
from google.protobuf import json_format
from pool_documents import model_document, pool_document
from pools import model

from chimera_operator.api.parse import parse_pool
from chimera_operator.api.routing import Routing
from chimera_operator.rendering.router_config import router_config
from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig
from chimera_router.scheduler_settings import scheduler
from chimera_router.scheduling import orders, policies

FULL = pool_document(
    model_document(
        "small",
        aliases=["tiny", "org/Small-1B"],
        engine={"maxNumSeqs": 128, "kvTokens": 90_000, "priorityScheduling": True},
        descriptor={"trainedAs": "Small-1B-Instruct", "parametersB": 1.5, "family": "small", "generalScore": 0.4},
    ),
    model_document("large"),
    routing={
        "policy": "Slack",
        "slack": 1.5,
        "minGain": 0.05,
        "agingRate": 7,
        "virtualModels": ["gpt-4o"],
        "bundle": {"path": "/bundles/a", "sha256": "0" * 64},
    },
)


def parsed(document: dict[str, Any], *, speed: float = 1.0) -> RouterConfig:
    rendered = router_config(parse_pool(document), discovery={"file": {"path": "/run/endpoints.json"}}, speed=speed)
    config: RouterConfig = json_format.ParseDict(rendered, RouterConfig())
    return config


def test_every_field_arrives() -> None:
    """The proto's own reader finds each value of the document in its place."""
    assert json_format.MessageToDict(parsed(FULL)) == {
        "pool": "pool",
        "models": [
            {
                "name": "small",
                "aliases": ["tiny", "org/Small-1B"],
                "servedName": "small",
                "descriptor": {
                    "trainedAs": "Small-1B-Instruct",
                    "parametersB": 1.5,
                    "family": "small",
                    "generalScore": 0.4,
                },
                "coefficients": {
                    "baseStepMs": 8.0,
                    "stepPerSequenceUs": 30.0,
                    "prefillUsPerToken": 20.0,
                    "maxNumSeqs": 128,
                    "kvTokens": "90000",
                },
                "priority": True,
            },
            {
                "name": "large",
                "servedName": "large",
                "descriptor": {},
                "coefficients": {
                    "baseStepMs": 8.0,
                    "stepPerSequenceUs": 30.0,
                    "prefillUsPerToken": 20.0,
                    "maxNumSeqs": 256,
                    "kvTokens": "100000",
                },
            },
        ],
        "virtualModels": ["gpt-4o"],
        "routing": {
            "slack": {"slack": 1.5, "minGain": 0.05},
            "agingRate": 7.0,
            "order": "ORDER_REMAINING_FIRST",
        },
        "bundle": {"path": "/bundles/a", "sha256": "0" * 64},
        "discovery": {"file": {"path": "/run/endpoints.json"}},
        "accounting": {"mode": "OBSERVE"},
    }


@pytest.mark.parametrize(
    ("routing", "policy"),
    [
        ({}, {"marginal": {}}),
        ({"policy": "Slack", "minGain": 0.0}, {"slack": {"minGain": 0.0}}),
        ({"policy": "RoundRobin", "slack": 2.0}, {"roundRobin": {}}),
        ({"policy": "LeastLoaded"}, {"leastLoaded": {}}),
        ({"policy": "Static", "staticModel": "large"}, {"static": {"model": "large"}}),
        ({"policy": "Marginal"}, {"marginal": {}}),
        ({"policy": "Marginal", "price": 0.0}, {"marginal": {"price": 0.0}}),
        ({"policy": "Marginal", "holdLatencySeconds": 4.0}, {"marginal": {"latencyTargetSeconds": 4.0}}),
        ({"policy": "Marginal", "price": 0.1, "holdScore": 0.7}, {"marginal": {"price": 0.1, "scoreTarget": 0.7}}),
        ({"policy": "Utility", "latencyPrice": 0.5}, {"utility": {"latencyPrice": 0.5}}),
        ({"policy": "LatencyObjective", "targetLatencySeconds": 3}, {"latencyObjective": {"seconds": 3.0}}),
        ({"policy": "Fastest"}, {"fastest": {}}),
        ({"policy": "Random", "weights": {"large": 2}}, {"random": {"weights": {"large": 2.0}}}),
        (
            {"policy": "Threshold", "gainNeeded": 0.1},
            {"threshold": {"small": "small", "large": "large", "gain": 0.1}},
        ),
        (
            {"policy": "Threshold", "gainNeeded": 0.1, "smallModel": "large", "largeModel": "small"},
            {"threshold": {"small": "large", "large": "small", "gain": 0.1}},
        ),
    ],
)
def test_the_policy_is_the_one_asked_for(routing: dict[str, Any], policy: dict[str, Any]) -> None:
    """Each policy is its own branch, and what is unset stays the router's to decide."""
    rendered = json_format.MessageToDict(parsed(pool_document(routing=routing)).routing)

    assert rendered == {**policy, "agingRate": 12.0, "order": "ORDER_REMAINING_FIRST"}


SIZED = [model_document(name, descriptor={"parametersB": size}) for name, size in (("small", 7), ("large", 70))]


@pytest.mark.parametrize(
    ("routing", "policy"),
    [
        (
            {"policy": "Utility", "latencyPrice": 0.1, "costPrice": 0.2},
            {"utility": {"latencyPrice": 0.1, "costPrice": 0.2}},
        ),
        (
            {"policy": "ConfidenceObjective", "targetConfidence": 0.7},
            {"confidenceObjective": {"confidence": 0.7}},
        ),
    ],
    ids=["utility", "confidence objective"],
)
def test_policies_that_count_cost_are_rendered(routing: dict[str, Any], policy: dict[str, Any]) -> None:
    """Where every model's size is known, cost may be weighed."""
    rendered = json_format.MessageToDict(parsed(pool_document(*SIZED, routing=routing)).routing)

    assert rendered == {**policy, "agingRate": 12.0, "order": "ORDER_REMAINING_FIRST"}


@pytest.mark.parametrize("order", ["RemainingFirst", "StageFirst", "Attained", "Arrival"])
def test_the_order_is_the_one_asked_for(order: str) -> None:
    """Each order of the document is one of the contract's, and the router has it."""
    rendered = json_format.MessageToDict(parsed(pool_document(routing={"order": order})).routing)

    assert rendered["order"].removeprefix("ORDER_").replace("_", "").lower() == order.lower()
    assert hasattr(orders, order)


@pytest.mark.parametrize(
    ("routing", "restage"),
    [
        ({"restageMargin": 0.2}, None),
        ({"restage": True}, {}),
        ({"restage": True, "restageMargin": 0.2}, {"margin": 0.2}),
    ],
    ids=["off", "default margin", "own margin"],
)
def test_restaging_is_off_until_asked_for(routing: dict[str, Any], restage: dict[str, Any] | None) -> None:
    """A margin alone turns nothing on."""
    assert json_format.MessageToDict(parsed(pool_document(routing=routing)).routing).get("restage") == restage


@pytest.mark.parametrize(
    ("routing", "branch", "field", "expected"),
    [
        ({"policy": "Marginal", "price": 0.01}, "marginal", "price", 0.1),
        ({"policy": "Marginal", "holdLatencySeconds": 5.0}, "marginal", "latency_target_seconds", 0.5),
        ({"policy": "Utility", "latencyPrice": 0.01}, "utility", "latency_price", 0.1),
        ({"policy": "LatencyObjective", "targetLatencySeconds": 5}, "latency_objective", "seconds", 0.5),
    ],
    ids=["marginal", "held latency", "utility", "latency objective"],
)
def test_speed_makes_seconds_dearer(routing: dict[str, Any], branch: str, field: str, expected: float) -> None:
    """Ten times faster: what a second costs is ten times as much, and a target in seconds a tenth."""
    fast = parsed(pool_document(routing=routing), speed=10.0).routing

    assert getattr(getattr(fast, branch), field) == pytest.approx(expected)


def test_speed_shortens_steps_and_quickens_aging() -> None:
    """Ten times faster: every step time a tenth, and ten times as many tokens a second of waiting."""
    real, fast = parsed(FULL), parsed(FULL, speed=10.0)

    for before, after in zip(real.models, fast.models, strict=True):
        assert after.coefficients.base_step_ms == pytest.approx(before.coefficients.base_step_ms / 10)
        assert after.coefficients.step_per_sequence_us == pytest.approx(before.coefficients.step_per_sequence_us / 10)
        assert after.coefficients.prefill_us_per_token == pytest.approx(before.coefficients.prefill_us_per_token / 10)
        assert after.coefficients.kv_tokens == before.coefficients.kv_tokens
    assert fast.routing.aging_rate == pytest.approx(real.routing.aging_rate * 10)
    assert fast.routing.slack == real.routing.slack


def test_aging_is_the_routers_own_default() -> None:
    """The pool states the rate, because a speed multiplies it; it must stay what the router would take."""
    assert Routing().aging_rate == orders.DEFAULT_AGING_RATE


def test_every_policy_of_the_router_can_be_asked_for() -> None:
    """The pool's policies are those the router has."""
    asked = set(Routing.model_json_schema()["properties"]["policy"]["enum"])

    assert {name for name in asked if not hasattr(policies, name)} == set()


@pytest.mark.parametrize("policy", Routing.model_json_schema()["properties"]["policy"]["enum"])
def test_the_router_reads_every_policy_as_the_one_asked_for(policy: str) -> None:
    """What the operator renders is the router's policy of the same name."""
    numbers = {
        "staticModel": "small",
        "weights": {"small": 1.0, "large": 2.0},
        "gainNeeded": 0.1,
        "targetLatencySeconds": 3.0,
        "targetConfidence": 0.5,
        "price": 0.1,
    }
    routing = parsed(pool_document(*SIZED, routing={"policy": policy, **numbers})).routing
    models = {name: model(name, parameters_b=size) for name, size in (("small", 7.0), ("large", 70.0))}

    assert type(scheduler(routing, models).policy).__name__ == policy


def test_limits_and_fallbacks_arrive() -> None:
    """Every cap that is set is the router's by the same name; those that are not are left to it."""
    limits = {name: number for number, name in enumerate(RouterConfig().limits.DESCRIPTOR.fields_by_camelcase_name, 1)}
    config = parsed(pool_document(routing={"limits": limits, "fallbackEndpoints": 2}))

    assert {field.camelcase_name: value for field, value in config.limits.ListFields()} == limits
    assert config.routing.fallback_endpoints == 2
    assert not parsed(pool_document()).HasField("limits")
