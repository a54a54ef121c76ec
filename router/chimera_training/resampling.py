"""How sure a figure is: the same figure of the same tasks, weighted anew again and again.

Bayesian bootstrap (Rubin, 1981) over tasks: each resample gives every task an exponential weight, all answers and calls
of a task together, so no resample lacks the right or the wrong answers that a figure needs. Every function here returns
the figure under each row of weights; the first row weighs all tasks alike, which gives the figure itself.
"""

from collections.abc import Sequence

import numpy as np

from chimera_training.bundle import Estimate
from chimera_training.examples import Integers
from chimera_training.features import Floats

# Intervals move by a tenth of their width from one choice of 200 resamples to the next; more only cost time.
RESAMPLES = 200

# Ends of a 95 % interval.
LOW, HIGH = 0.025, 0.975

DIGITS = 4  # of a figure; the last is noise already


def task_weights(tasks: int, *, resamples: int = RESAMPLES) -> Floats:
    """Return the weight of every task, (1 + resamples, tasks): ones, then resamples, the same at every call."""
    drawn = np.random.default_rng(0).standard_exponential((resamples, tasks))
    return np.vstack([np.ones((1, tasks)), drawn])


def estimate(replicates: Sequence[Floats]) -> Estimate | None:
    """Return the mean of a figure over several fits, with its 95 % interval.

    Each resample draws as many of the fits, with replacement, and the tasks inside them; tasks are weighed alike in all
    fits, since the same task may be held out of several. The interval errs on the wide side: fits differ by their tasks
    too.

    Args:
        replicates: (1 + resamples,) for each fit; NaN where a fit has no such figure.

    Returns:
        The estimate; None where no fit has the figure.
    """
    known = [values for values in replicates if np.isfinite(values).all()]
    if not known:
        return None
    values = np.array(known)
    resamples = np.arange(1, values.shape[1])[:, None]
    fits = np.random.default_rng(0).integers(len(values), size=(len(resamples), len(values)))
    means = values[fits, resamples].mean(axis=1)
    low, high = np.quantile(means, (LOW, HIGH)) if len(means) else values[:, 0].mean().repeat(2)
    return Estimate(value=rounded(values[:, 0].mean()), low=rounded(low), high=rounded(high))


def certain(replicates: Sequence[Floats]) -> Estimate:
    """Return the estimate of a figure that some fit is known to have.

    Raises:
        ValueError: None has it.
    """
    found = estimate(replicates)
    if found is None:
        raise ValueError("one fit at least must have the figure")
    return found


def rounded(value: float) -> float:
    """Return a figure with the digits that mean something."""
    return round(float(value), DIGITS)


def mean(weights: Floats, task: Integers, values: Floats) -> Floats:
    """Return the mean of values, (rows,).

    Args:
        weights: (rows, tasks).
        task: (n,) of each value.
        values: (n,).
    """
    tasks = weights.shape[1]
    sums, counts = np.bincount(task, values, tasks), np.bincount(task, minlength=tasks)
    means: Floats = (weights @ sums) / (weights @ counts)
    return means


def mean_area(weights: Floats, task: Integers, model: Integers, success: Floats, predicted: Floats) -> Floats:
    """Return the area under the ROC curve inside each model, averaged over the models that have one, (rows,).

    Args:
        weights: (rows, tasks).
        task: (n,) of each answer.
        model: (n,) of each answer.
        success: (n,) 1 where it was right.
        predicted: (n,) its confidence; of equal ones, half of the pairs count as ordered.

    Returns:
        The mean; NaN where every model is always right or always wrong.
    """
    order = np.lexsort((predicted, model))
    task, model, success, predicted = task[order], model[order], success[order], predicted[order]
    fresh = np.append(True, (np.diff(model) != 0) | (np.diff(predicted) != 0))
    tie, owner = np.cumsum(fresh) - 1, np.unique(model[fresh], return_inverse=True)[1]
    areas = np.array([_areas(row[task], tie, owner, success) for row in weights])
    varied = np.isfinite(areas[0])
    return areas[:, varied].mean(axis=1) if varied.any() else np.full(len(weights), np.nan)


def rank_correlation(weights: Floats, task: Integers, first: Floats, second: Floats) -> Floats:
    """Return Spearman's rank correlation, (rows,); NaN where either value is the same throughout.

    Args:
        weights: (rows, tasks).
        task: (n,) of each pair of values.
        first: (n,).
        second: (n,).
    """
    codes = [np.unique(values, return_inverse=True)[1] for values in (first, second)]
    return np.array([_correlation(row[task], *(_mid_ranks(code, row[task]) for code in codes)) for row in weights])


def _areas(weight: Floats, tie: Integers, owner: Integers, success: Floats) -> Floats:
    """Return each model's area, of answers in the order of model and confidence; NaN where it has none."""
    right, wrong = np.bincount(tie, weight * success), np.bincount(tie, weight * (1 - success))
    all_right, all_wrong = np.bincount(owner, right), np.bincount(owner, wrong)
    before = np.cumsum(all_wrong) - all_wrong
    below = np.cumsum(wrong) - wrong / 2 - before[owner]
    pairs = all_right * all_wrong
    areas: Floats = np.full(len(pairs), np.nan)
    np.divide(np.bincount(owner, right * below), pairs, out=areas, where=pairs > 0)
    return areas


def _mid_ranks(code: Integers, weight: Floats) -> Floats:
    """Return the weighted rank of values by their place among the distinct ones, equal ones in the middle."""
    weights = np.bincount(code, weight)
    middle = np.cumsum(weights) - weights / 2
    ranks: Floats = middle[code]
    return ranks


def _correlation(weight: Floats, first: Floats, second: Floats) -> float:
    share = weight / weight.sum()
    first, second = first - share @ first, second - share @ second
    spread = (share @ first**2) * (share @ second**2)
    return float((share @ (first * second)) / np.sqrt(spread)) if spread > 0 else float("nan")
