"""Serving pools whose arithmetic can be done by hand."""

from chimera_bench.serving import ServingPool
from chimera_router.scheduling.types import Coefficients

ENGINE = Coefficients(base_step=0.25, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=8, kv_tokens=100_000)


def serving_pool(*models: str, engine: Coefficients = ENGINE, **coefficients: Coefficients) -> ServingPool:
    """Return a pool of models that all run on one kind of engine, but for those whose own is given."""
    return ServingPool(
        name="small",
        models=models,
        coefficients={name: coefficients.get(name, engine) for name in models},
        params_b={name: float(10**number) for number, name in enumerate(models)},
        task_sets=("set",),
        file="workflow_traces",
    )
