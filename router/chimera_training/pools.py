"""Pools of models that a bundle is measured as: from a file, or one for each task set."""

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from chimera_training.data import DataError
from chimera_training.examples import Examples, Integers

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Models that one endpoint would choose among, and the tasks to ask it.

    Attributes:
        name: Of the pool.
        task_sets: Where its tasks come from.
        models: As the data names them, from the smallest to the largest.
        small: The cheapest of them; without one, the first.
        large: The dearest of them; without one, the last.
    """

    name: _Name
    task_sets: _Names
    models: _Names
    small: str = ""
    large: str = ""

    @property
    def ends(self) -> tuple[str, str]:
        """The small and the large model."""
        return self.small or self.models[0], self.large or self.models[-1]


def read_pools(path: Path, examples: Examples) -> tuple[Pool, ...]:
    """Read a JSON list of pools; keys that `Pool` does not have are passed over.

    Raises:
        DataError: The file is missing or of another shape, a name occurs twice, or a pool names a task set or a model
            that is not among the examples.
    """
    try:
        pools = msgspec.json.decode(path.read_bytes(), type=tuple[Pool, ...])
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from None
    if not pools or len({pool.name for pool in pools}) < len(pools):
        raise DataError(f"{path}: there must be at least one pool, and no name twice")
    for pool in pools:
        _check(path, pool, examples)
    return pools


def pools_of(examples: Examples) -> tuple[Pool, ...]:
    """Return one pool for each task set: every model that answered it, unpublished sizes counted as the largest."""
    tasks, outcomes = examples.tasks, examples.outcomes
    return tuple(
        Pool(name=name, task_sets=(name,), models=_by_size(examples, outcomes.of(tasks.domain == number).model))
        for number, name in enumerate(examples.domains)
    )


def _by_size(examples: Examples, models: Integers) -> tuple[str, ...]:
    order = sorted(np.unique(models).tolist(), key=lambda model: examples.parameters_b[model] or float("inf"))
    return tuple(examples.models[model] for model in order)


def _check(path: Path, pool: Pool, examples: Examples) -> None:
    if len(set(pool.models)) < len(pool.models):
        raise DataError(f"{path}: pool {pool.name}: `models` must hold no name twice")
    for task_set in pool.task_sets:
        if task_set not in examples.domains:
            raise DataError(f"{path}: pool {pool.name}: the data has no tasks to measure in task set {task_set!r}")
    for model in pool.models:
        if model not in examples.models:
            raise DataError(f"{path}: pool {pool.name}: model {model!r} must be in the bundle and in the data")
    for end in pool.ends:
        if end not in pool.models:
            raise DataError(f"{path}: pool {pool.name}: `small` and `large` must be among `models`, but {end!r} is not")
