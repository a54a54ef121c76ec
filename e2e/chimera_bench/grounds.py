"""Make pools ready for a comparison: their tasks, what a bundle predicts of them, and what spaces their arrivals."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from chimera_bench.compare import Ground
from chimera_bench.contestants import Background, Source
from chimera_bench.recorded_tasks import PoolTasks, read_pool_tasks
from chimera_bench.replay.foresight import averages, predicted, true
from chimera_bench.serving import ServingPool, read_pools
from chimera_bench.workload import saturation_rate
from chimera_router.prediction.bundle import Bundle
from chimera_training.data import DataError, read_arrivals

POISSON = "poisson"


def chosen_pools(path: Path, names: Collection[str]) -> list[ServingPool]:
    """Read the pools of a file that have these names, in the file's order; all of them where none is named.

    Raises:
        DataError: The file breaks a rule, has no pool that says what its engines are, or none of some name.
    """
    pools = read_pools(path)
    known = [pool.name for pool in pools]
    if not pools:
        raise DataError(f"{path}: no pool of it has `serving`, which says what its engines are")
    for name in names:
        if name not in known:
            raise DataError(f"{path}: there is no serving pool {name!r}; there are {', '.join(known)}")
    return [pool for pool in pools if not names or pool.name in names]


def read_grounds(
    pools: Iterable[ServingPool],
    folder: Path,
    bundle: Bundle,
    *,
    spacing: str,
    workflows: int,
    on_pool: Callable[[], None] = lambda: None,
) -> dict[str, Ground]:
    """Read what the pools are asked, and have the bundle predict all of it; return the grounds by pool.

    Only tasks that the bundle was not trained on are replayed. What is known of a model on average comes from the
    others; where there are none, for data that no task of was trained on, from the replayed ones.

    Args:
        pools: To make ready.
        folder: Recorded data.
        bundle: Predicts.
        spacing: `poisson`, or the name of a trace in the folder.
        workflows: How many will arrive in each cell.
        on_pool: Told after each pool.

    Raises:
        BundleError: A graph of the bundle cannot be loaded.
        DataError: The data breaks a rule, leaves a pool without tasks, or has too short a trace.
    """
    gaps = _gaps(folder, spacing, workflows)
    # A bundle that was trained on all of its own data may be measured on any other.
    share = bundle.manifest.training.held_out_share or 1.0
    grounds = {}
    for pool in pools:
        tasks = read_pool_tasks(pool, folder, held_out_share=share)
        grounds[pool.name] = _ground(pool, tasks, bundle, gaps=gaps, workflows=workflows)
        on_pool()
    return grounds


def workload_name(pool: ServingPool, spacing: str) -> str:
    """Return what records call a workload: where its tasks come from and what spaces their arrivals."""
    return f"{pool.file}/{spacing}"


def _ground(pool: ServingPool, tasks: PoolTasks, bundle: Bundle, *, gaps: Sequence[float], workflows: int) -> Ground:
    others = tasks.training or tasks.unseen
    return Ground(
        background=Background(
            pool=pool,
            success={model: fmean(task.runs[model].success for task in others) for model in pool.models},
            capacity=_capacity(pool, tasks),
        ),
        tasks=tasks.unseen,
        known={
            Source.BUNDLE: predicted(bundle, tasks.unseen),
            Source.AVERAGES: averages(tasks.unseen, training=others),
            Source.TRUTH: true(tasks.unseen),
        },
        gaps=gaps,
        workflows=workflows,
    )


def _capacity(pool: ServingPool, tasks: PoolTasks) -> Mapping[str, float]:
    others = tasks.training or tasks.unseen
    return {
        model: pool.endpoints * saturation_rate(others, {model: engine}) for model, engine in pool.coefficients.items()
    }


def _gaps(folder: Path, spacing: str, workflows: int) -> tuple[float, ...]:
    """Return the seconds between the requests of a trace; nothing for a Poisson process."""
    if spacing == POISSON:
        return ()
    requests = read_arrivals(folder, spacing)
    if len(requests) < workflows + 2:
        raise DataError(f"trace {spacing!r} has {len(requests)} requests: too few for {workflows} workflows")
    return tuple(later.seconds - earlier.seconds for earlier, later in pairwise(requests))
