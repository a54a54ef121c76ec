"""How well a bundle would place a model that it has no head for: from its size and a few observed answers.

The head of a model is set aside. The others still say how easy a text is: the mean of their logits. The model lies
above or below that level by its ability, at first by as much as others of its size, then as its own answers say.

The text heads that all models share were fitted with its answers among those of all others; a finished bundle cannot
tell what they would have read without.
"""

import msgspec
import numpy as np

from chimera_training.abilities import fit_head, sigmoid
from chimera_training.evaluate import confidence_figures
from chimera_training.examples import Examples, Integers, Mask, Outcomes
from chimera_training.features import Floats
from chimera_training.pools import Pool, common_outcomes

# Tasks whose answers by the unseen model are known: what a user would spend on a new model.
OBSERVED_TASKS = 20

# A pool with fewer tasks would have its figures measured on fewer than were observed.
FEWEST_TASKS = 2 * OBSERVED_TASKS

# Chances nearer to 0 or 1 than this have no meaning, and no finite logit at the end.
SMALLEST_CHANCE = 1e-4

# Added to the spread of the other models' log sizes, in squared logarithms: two models of one size say nothing of size.
SIZE_SHRINKAGE = 1.0

SLOPE = 1.0  # logits of success gained by a logit of level: by definition, for the average model


class UnseenFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well confidences in models without a head tell right from wrong.

    Attributes:
        auc_mean: Mean area under the ROC curve, over the models that have one.
        brier: Mean squared error of the confidence.
        n: Tasks, those with observed answers left out.
    """

    auc_mean: float | None
    brier: float
    n: int


def unseen_figures(pool: Pool, examples: Examples, confidence: Floats) -> UnseenFigures | None:
    """Set aside the head of each model of a pool in turn, place the model anew, and measure it.

    Args:
        pool: Of models and task sets that the examples hold.
        examples: What came true.
        confidence: (tasks, models) of the examples.

    Returns:
        The figures; None where the pool has too few tasks or there is no other model.

    Raises:
        DataError: No task was answered by all models of the pool.
    """
    outcomes = common_outcomes(pool, examples)
    tasks = np.unique(outcomes.task)
    if len(tasks) < FEWEST_TASKS or len(examples.models) == 1:
        return None
    observed = _observed(tasks, len(confidence))
    asked, rest = outcomes.of(observed), outcomes.of(~observed)
    predicted = np.empty(len(rest.task))
    for column in pool.columns(examples):
        own = rest.model == column
        readings, prior = _placement(column, tasks, _logits(confidence), np.array(examples.parameters_b))
        predicted[own] = sigmoid(readings[rest.task[own]] @ _head(asked, column, readings, prior))
    figures = confidence_figures(pool.name, rest, predicted)
    return UnseenFigures(auc_mean=figures.auc, brier=figures.brier, n=figures.tasks)


def expected_ability(abilities: Floats, sizes: Floats, size: float) -> float:
    """Return the ability that models of this size have, by a shrunk line through the others over their log sizes.

    Args:
        abilities: (models,) of the others, in logits over the level, which is their mean.
        sizes: (models,) of the others, in billions of parameters; 0 where not published.
        size: Of the model to place; 0 where not published, and then it is expected on the level.
    """
    published = sizes > 0
    if size <= 0 or not published.any():
        return 0.0
    known, place = abilities[published], np.log(sizes[published])
    offset = place - place.mean()
    slope = offset @ (known - known.mean()) / (offset @ offset + SIZE_SHRINKAGE)
    return float(known.mean() + slope * (np.log(size) - place.mean()))


def _observed(tasks: Integers, count: int) -> Mask:
    """Mark some of the tasks, the same for every model and at every call."""
    marked = np.zeros(count, dtype=np.bool_)
    marked[np.random.default_rng(0).permutation(tasks)[:OBSERVED_TASKS]] = True
    return marked


def _logits(confidence: Floats) -> Floats:
    chance = confidence.clip(SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)
    logits: Floats = np.log(chance / (1 - chance))
    return logits


def _placement(column: int, tasks: Integers, logits: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Return what can be read in every task without a model's head, (tasks, 2), and the head to start from, (2,)."""
    others = np.arange(logits.shape[1]) != column
    level = logits[:, others].mean(axis=1)
    abilities = (logits[np.ix_(tasks, np.flatnonzero(others))] - level[tasks, None]).mean(axis=0)
    prior = np.array([expected_ability(abilities, sizes[others], sizes[column]), SLOPE])
    return np.column_stack([np.ones_like(level), level]), prior


def _head(asked: Outcomes, column: int, readings: Floats, prior: Floats) -> Floats:
    own = asked.model == column
    return fit_head(readings[asked.task[own]], asked.success[own], prior=prior)
