"""From a pool to the RouterConfig its picker reads: proto3's JSON mapping, as plain data."""

from typing import Any

from chimera_operator.api.model import Descriptor, ModelSpec
from chimera_operator.api.pool import FlowControl, HeterogeneousModelPool, Routing
from chimera_operator.rendering.coefficients import StepTime, step_time


def router_config(pool: HeterogeneousModelPool, *, endpoints_file: str, speed: float = 1.0) -> dict[str, Any]:
    """Return the RouterConfig of a pool.

    Args:
        pool: The pool.
        endpoints_file: Where the picker finds the endpoints.
        speed: How many times faster than real the engines run; 1 unless they are simulated.

    Raises:
        PoolError: A model's step time is neither given nor can be estimated.
    """
    times = step_times(pool, speed=speed)
    return {
        "pool": pool.metadata.name,
        "models": [_model(model, times[model.name]) for model in pool.spec.models],
        "virtualModels": list(pool.spec.routing.virtual_models),
        "routing": _routing(pool.spec.routing, speed),
        "bundle": {"path": pool.spec.routing.bundle.path, "sha256": pool.spec.routing.bundle.sha256 or ""},
        "discovery": {"file": {"path": endpoints_file}},
    }


def step_times(pool: HeterogeneousModelPool, *, speed: float = 1.0) -> dict[str, StepTime]:
    """Return every model's step time by name, `speed` times faster than real.

    Raises:
        PoolError: A model's step time is neither given nor can be estimated.
    """
    return {
        model.name: step_time(model, path=f"spec.models[{index}]").faster(speed)
        for index, model in enumerate(pool.spec.models)
    }


def _model(model: ModelSpec, time: StepTime) -> dict[str, Any]:
    return {
        "name": model.name,
        "aliases": list(model.aliases),
        "servedName": model.name,
        "descriptor": _descriptor(model.descriptor),
        "coefficients": {
            "baseStepMs": time.base_step_ms,
            "stepPerSequenceUs": time.step_per_sequence_us,
            "prefillUsPerToken": time.prefill_us_per_token,
            "maxNumSeqs": time.max_num_seqs,
            "kvTokens": time.kv_tokens,
        },
        "priority": model.engine.priority_scheduling,
    }


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "trainedAs": descriptor.trained_as,
        "parametersB": descriptor.parameters_b or 0.0,
        "family": descriptor.family,
        "generalScore": descriptor.general_score or 0.0,
    }


def _routing(routing: Routing, speed: float) -> dict[str, Any]:
    # Engines that run `speed` times faster finish as many times more tokens while a request ages one second.
    flow_control = {"flowControl": _flow_control(routing.flow_control, speed)} if routing.flow_control.enabled else {}
    return {**_policy(routing), "agingRate": routing.aging_rate * speed, **flow_control}


def _flow_control(flow_control: FlowControl, speed: float) -> dict[str, Any]:
    given = flow_control.model_dump(by_alias=True, exclude_none=True)
    return {**given, "ttl": flow_control.ttl / speed}


def _policy(routing: Routing) -> dict[str, Any]:
    match routing.policy:
        case "RoundRobin":
            return {"roundRobin": {}}
        case "LeastLoaded":
            return {"leastLoaded": {}}
        case "Static":
            return {"static": {"model": routing.static_model}}
        case "Slack":
            tuned = {"slack": routing.slack, "minGain": routing.min_gain}
            return {"slack": {key: value for key, value in tuned.items() if value is not None}}
