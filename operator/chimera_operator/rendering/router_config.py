"""From a pool to the RouterConfig its picker reads: proto3's JSON mapping, as plain data."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chimera_operator.api.bundle import Bundle
from chimera_operator.api.model import Descriptor, ModelSpec
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.coefficients import StepTime, step_time
from chimera_operator.rendering.profiles.types import EngineProfile
from chimera_operator.rendering.routing_config import routing_config

MAX_WAKE = 900.0
"""Seconds that the router takes at most as a model's `wakeSeconds`."""


def router_config(
    pool: HeterogeneousModelPool,
    *,
    discovery: Mapping[str, Any],
    engines: Mapping[str, EngineProfile] = MappingProxyType({}),
    bundle: str | None = None,
    speed: float = 1.0,
) -> dict[str, Any]:
    """Return the RouterConfig of a pool.

    Args:
        pool: The pool.
        discovery: Where the picker finds the endpoints.
        engines: Engine profiles by model, which know their metrics; the router expects vLLM's of others.
        bundle: Folder of the predictors on the picker's machine; None: the one that the pool names.
        speed: How many times faster than real the engines run; 1 unless they are simulated.

    Raises:
        PoolError: A model's step time is neither given nor can be estimated.
    """
    times = step_times(pool, speed=speed)
    limits = pool.spec.routing.limits.model_dump(by_alias=True, exclude_none=True)
    return {
        "pool": pool.metadata.name,
        "models": [{**_model(model, times[model.name]), **_metrics(model, engines)} for model in pool.spec.models],
        "virtualModels": list(pool.spec.routing.virtual_models),
        "routing": routing_config(pool, speed=speed),
        "bundle": _bundle(pool.spec.routing.bundle, bundle),
        **({"limits": limits} if limits else {}),
        "discovery": dict(discovery),
        "accounting": {"mode": pool.spec.routing.accounting.upper()},
        **_path_prefix(pool),
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
        **({"adapters": [lora.name for lora in model.loras]} if model.loras else {}),
        **_wake(model),
    }


def _metrics(model: ModelSpec, engines: Mapping[str, EngineProfile]) -> dict[str, str]:
    return {"engine": engines[model.name].metrics} if model.name in engines else {}


def _bundle(asked: Bundle, folder: str | None) -> dict[str, str]:
    return {"path": asked.path if folder is None else folder, "sha256": asked.sha256 or ""}


def _path_prefix(pool: HeterogeneousModelPool) -> dict[str, str]:
    """Return the prefix for the picker, which some gateways ask before they take it off."""
    prefix = pool.spec.gateway.path_prefix.rstrip("/") if pool.spec.gateway else ""
    return {"pathPrefix": prefix} if prefix else {}


def _wake(model: ModelSpec) -> dict[str, float]:
    """Return how long requests may wait for the first replica of a model that was scaled to zero."""
    if not (model.scaling.auto and model.scaling.auto.scale_to_zero):
        return {}
    return {"wakeSeconds": min(float(model.engine.startup_seconds), MAX_WAKE)}


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "trainedAs": descriptor.trained_as,
        "parametersB": descriptor.parameters_b or 0.0,
        "family": descriptor.family,
        "generalScore": descriptor.general_score or 0.0,
    }
