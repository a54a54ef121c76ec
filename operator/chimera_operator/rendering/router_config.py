"""From a pool to the RouterConfig its picker reads: proto3's JSON mapping, as plain data."""

from typing import Any

from chimera_operator.api.model import Descriptor, ModelSpec
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.coefficients import StepTime, step_time
from chimera_operator.rendering.routing_config import routing_config


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
    limits = pool.spec.routing.limits.model_dump(by_alias=True, exclude_none=True)
    return {
        "pool": pool.metadata.name,
        "models": [_model(model, times[model.name]) for model in pool.spec.models],
        "virtualModels": list(pool.spec.routing.virtual_models),
        "routing": routing_config(pool, speed=speed),
        "bundle": {"path": pool.spec.routing.bundle.path, "sha256": pool.spec.routing.bundle.sha256 or ""},
        **({"limits": limits} if limits else {}),
        "discovery": {"file": {"path": endpoints_file}},
        "accounting": {"mode": pool.spec.routing.accounting.upper()},
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
