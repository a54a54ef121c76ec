"""Make pools ready for a comparison: their tasks, what a bundle predicts of them, and what spaces their arrivals."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from chimera_bench.contestants import Background, Source
from chimera_bench.ground import Ground
from chimera_bench.recorded_tasks import read_pool_tasks
from chimera_bench.replay.foresight import Foresight, averages, predicted, true
from chimera_bench.serving import ServingPool, read_pools
from chimera_bench.workload import Task, read_gaps, saturation_rate
from chimera_router.prediction.bundle import Bundle
from chimera_training.data import DataError

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


def read_grounds(  # noqa: PLR0913 - all that grounds are made of, by name
    pools: Iterable[ServingPool],
    folder: Path,
    bundle: Bundle,
    *,
    spacing: str,
    workflows: int,
    warm_up: float = 0.0,
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
        workflows: How many will count in each cell.
        warm_up: Seconds of arrivals before those.
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
        others = tasks.training or tasks.unseen
        grounds[pool.name] = Ground(
            workload=f"{pool.file}/{spacing}",
            background=_background(pool, others),
            tasks=tasks.unseen,
            known=_known(bundle, tasks.unseen, others),
            gaps=gaps,
            workflows=workflows,
            warm_up=warm_up,
        )
        on_pool()
    return grounds


def _background(pool: ServingPool, others: Sequence[Task]) -> Background:
    return Background(
        pool=pool,
        success={model: fmean(task.runs[model].success for task in others) for model in pool.models},
        capacity={
            model: pool.endpoints * saturation_rate(others, {model: engine})
            for model, engine in pool.coefficients.items()
        },
    )


def _known(bundle: Bundle, tasks: Sequence[Task], others: Sequence[Task]) -> Mapping[Source, Foresight]:
    return {
        Source.BUNDLE: predicted(bundle, tasks),
        Source.AVERAGES: averages(tasks, training=others),
        Source.TRUTH: true(tasks),
    }


def _gaps(folder: Path, spacing: str, workflows: int) -> tuple[float, ...]:
    """Return the seconds between the requests of a trace; nothing for a Poisson process."""
    if spacing == POISSON:
        return ()
    gaps = read_gaps(folder, spacing)
    if len(gaps) <= workflows:
        raise DataError(f"trace {spacing!r} has {len(gaps) + 1} requests: too few for {workflows} workflows")
    return tuple(gaps)
