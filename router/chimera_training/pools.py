"""Pools of models that a bundle is measured as: from a file, or one for each task set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from chimera_training.data import DataError
from chimera_training.examples import Examples, Integers, Outcomes
from chimera_training.features import Floats

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

    def columns(self, examples: Examples) -> list[int]:
        """Return the numbers of its models in the examples."""
        return [examples.models.index(name) for name in self.models]


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


def common_outcomes(pool: Pool, examples: Examples) -> Outcomes:
    """Return the answers of a pool's models to those of its tasks that all of them answered.

    Raises:
        DataError: There is no such task.
    """
    columns = pool.columns(examples)
    asked = np.isin(examples.tasks.domain, [examples.domains.index(name) for name in pool.task_sets])
    every = examples.outcomes.of(asked)
    own = np.isin(every.model, columns)
    outcomes = Outcomes(task=every.task[own], model=every.model[own], success=every.success[own])
    pairs = np.unique(np.column_stack([outcomes.task, outcomes.model]), axis=0)
    common = outcomes.of(np.bincount(pairs[:, 0], minlength=len(asked)) == len(columns))
    if not len(common.task):
        raise DataError(f"pool {pool.name}: all of its models must have answered one of its tasks at least")
    return common


def successes(outcomes: Outcomes, columns: Sequence[int]) -> tuple[Integers, Floats]:
    """Return the tasks, and the success of each model in each, (tasks, models): the mean of repeated trials.

    Args:
        outcomes: Every model answered every task.
        columns: Numbers of the models, in the order wanted.
    """
    tasks, row = np.unique(outcomes.task, return_inverse=True)
    place = {column: number for number, column in enumerate(columns)}
    cell = row * len(columns) + np.array([place[model] for model in outcomes.model.tolist()])
    cells = len(tasks) * len(columns)
    success: Floats = np.bincount(cell, outcomes.success, cells) / np.bincount(cell, minlength=cells)
    return tasks, success.reshape(len(tasks), len(columns))


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
