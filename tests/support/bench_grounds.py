"""A small pool, ready for a comparison: two models of which the large one is slower and right more often."""

from collections.abc import Sequence

from bench_workloads import run, task

from chimera_bench.contestants import Background, Source
from chimera_bench.ground import Ground
from chimera_bench.replay.foresight import averages, true
from chimera_bench.serving import ServingPool
from chimera_bench.workload import Task
from chimera_router.scheduling.types import Coefficients

SMALL = Coefficients(base_step=0.005, per_sequence=2e-5, prefill_per_token=1e-5, max_num_seqs=64, kv_tokens=1_000_000)
LARGE = Coefficients(base_step=0.02, per_sequence=8e-5, prefill_per_token=5e-5, max_num_seqs=64, kv_tokens=1_000_000)

POOL = ServingPool(
    name="two",
    models=("small", "large"),
    coefficients={"small": SMALL, "large": LARGE},
    params_b={"small": 1.0, "large": 10.0},
    task_sets=("set",),
    file="workflow_traces",
)

BACKGROUND = Background(pool=POOL, success={"small": 0.3, "large": 0.8}, capacity={"small": 4.0, "large": 1.0})


def tasks(count: int = 12) -> list[Task]:
    """Of three tasks the small model solves the first, the large one the first two; every other takes two stages."""
    return [
        task(
            run("small", (100, 50)[: 1 + number % 2], task=f"t{number}", success=number % 3 == 0),
            run("large", (80, 40)[: 1 + number % 2], task=f"t{number}", success=number % 3 != 2),
        )
        for number in range(count)
    ]


def ground(*, workflows: int = 40, gaps: Sequence[float] = (), warm_up: float = 0.0) -> Ground:
    """Return the pool with a bundle that knows the truth."""
    every = tasks()
    return Ground(
        workload="workflow_traces/poisson",
        background=BACKGROUND,
        tasks=every,
        known={
            Source.BUNDLE: true(every),
            Source.AVERAGES: averages(every, training=every),
            Source.TRUTH: true(every),
        },
        gaps=gaps,
        workflows=workflows,
        warm_up=warm_up,
    )
