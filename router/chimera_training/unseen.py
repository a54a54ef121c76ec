"""How well a bundle places a model that it has no head for: from its size, its family and a few observed answers.

The head of a model is set aside, and the model placed among the others as the router places a model that the bundle
does not know; then some of its own answers move its head. Its general score is set aside too: it was made of them.

The text heads that all models share were fitted with its answers among those of all others; what they would
have read without is not measured here.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from chimera_training.bundle import TrainedModel
from chimera_training.evaluate import ConfidenceReplicates, confidence_figures, confidence_replicates
from chimera_training.examples import Examples, Integers, Mask
from chimera_training.features import Floats
from chimera_training.heads import fit_head, place, sigmoid
from chimera_training.pools import Pool, common_outcomes

# Tasks whose answers by the unseen model are known: what a user would spend on a new model.
OBSERVED_TASKS = 20

# A pool with fewer tasks would have its figures measured on fewer than were observed.
FEWEST_TASKS = 2 * OBSERVED_TASKS


class UnseenFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well confidences in models without a head tell right from wrong.

    Attributes:
        auc_mean: Mean area under the ROC curve, over the models that have one.
        brier: Mean squared error of the confidence.
        n: Tasks, those with observed answers left out.
        auc_mean_interval: 95 %, by bootstrap over the tasks; None where there is no area.
        brier_interval: The same.
    """

    auc_mean: float | None
    brier: float
    n: int
    auc_mean_interval: tuple[float, float] | None
    brier_interval: tuple[float, float]


def unseen_figures(
    pool: Pool, examples: Examples, readings: Floats, models: Sequence[TrainedModel], weights: Floats
) -> UnseenFigures | None:
    """Return the figures of `unseen_replicates`, on all tasks."""
    every = np.ones(len(readings), dtype=np.bool_)
    replicates = unseen_replicates(pool, examples, readings, models, weights=weights, asked=every)
    if replicates is None:
        return None
    figures = confidence_figures(pool.name, [replicates])
    return UnseenFigures(
        auc_mean=figures.auc.value if figures.auc else None,
        brier=figures.brier.value,
        n=figures.tasks,
        auc_mean_interval=figures.auc.interval if figures.auc else None,
        brier_interval=figures.brier.interval,
    )


def unseen_replicates(  # noqa: PLR0913 - all that is known of a fit, by name
    pool: Pool,
    examples: Examples,
    readings: Floats,
    models: Sequence[TrainedModel],
    *,
    weights: Floats,
    asked: Mask,
) -> ConfidenceReplicates | None:
    """Set aside the head of each model of a pool in turn, place the model anew, and measure it.

    Args:
        pool: Of models and task sets that the examples hold.
        examples: What came true.
        readings: (tasks, readings) what was read in every task.
        models: Of the bundle; those of the pool among them.
        weights: (rows, tasks) as `resampling.task_weights` gives them.
        asked: (tasks,) those to observe or measure.

    Returns:
        What that was worth; None where the pool has too few tasks or there is no other model.

    Raises:
        DataError: No task was answered by all models of the pool.
    """
    outcomes = common_outcomes(pool, examples).of(asked)
    tasks = np.unique(outcomes.task)
    if len(tasks) < FEWEST_TASKS or len(models) == 1:
        return None
    observed = _observed(tasks, len(readings))
    seen, rest = outcomes.of(observed), outcomes.of(~observed)
    predicted = np.empty(len(rest.task))
    for column in pool.columns(examples):
        answers = seen.by(column)
        head = _head(examples.models[column], models, readings[answers.task], answers.success)
        own = rest.model == column
        predicted[own] = sigmoid(readings[rest.task[own]] @ head)
    return confidence_replicates(rest, predicted, weights)


def _observed(tasks: Integers, count: int) -> Mask:
    """Mark some of the tasks, the same for every model and at every call."""
    marked = np.zeros(count, dtype=np.bool_)
    marked[np.random.default_rng(0).permutation(tasks)[:OBSERVED_TASKS]] = True
    return marked


def _head(name: str, models: Sequence[TrainedModel], readings: Floats, success: Floats) -> Floats:
    """Return the head of a model as if the bundle did not know it, but these answers of it."""
    (own,) = (model for model in models if model.name == name)
    others = [model for model in models if model.name != name]
    described = msgspec.structs.replace(own, general_score=0.0)
    placement = place(described, others, np.array([other.head for other in others]))
    return fit_head(readings, success, prior=placement.expected, precision=placement.precision())
