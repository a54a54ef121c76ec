"""What a bench needs to know of a pool document."""

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.coefficients import StepTime
from chimera_operator.rendering.router_config import step_times
from chimera_router.scheduling.types import Coefficients


def with_slots(pool: HeterogeneousModelPool, slots: int) -> HeterogeneousModelPool:
    """Return the pool with engines that run at most `slots` sequences at once."""
    models = tuple(
        model.model_copy(update={"engine": model.engine.model_copy(update={"max_num_seqs": slots})})
        for model in pool.spec.models
    )
    return pool.model_copy(update={"spec": pool.spec.model_copy(update={"models": models})})


def recorded_names(pool: HeterogeneousModelPool) -> dict[str, str]:
    """Return each model's name in the recorded data by its name in the pool."""
    return {model.name: model.descriptor.trained_as or model.name for model in pool.spec.models}


def coefficients(pool: HeterogeneousModelPool) -> dict[str, Coefficients]:
    """Return each model's step time by its name in the pool.

    Raises:
        PoolError: A model's step time is neither given nor can be estimated.
    """
    return {name: coefficients_of(time) for name, time in step_times(pool).items()}


def coefficients_of(time: StepTime) -> Coefficients:
    """Return a step time in the words of the scheduler: seconds."""
    return Coefficients(
        base_step=time.base_step_ms / 1e3,
        per_sequence=time.step_per_sequence_us / 1e6,
        prefill_per_token=time.prefill_us_per_token / 1e6,
        max_num_seqs=time.max_num_seqs,
        kv_tokens=time.kv_tokens,
    )
