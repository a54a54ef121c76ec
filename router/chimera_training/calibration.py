"""Keeping promises on new tasks: how far a quantile must be shifted, how far confidences are off."""

import math

import numpy as np
from numpy.typing import NDArray

from chimera_training.features import Floats

BINS = 10  # of the calibration error, as the literature counts it (Guo et al., 2017)

# Tasks by which a group's own shift and that of all are weighed alike. Calls of one task miss together, so tasks count.
SHIFT_SHRINKAGE = 5.0


def conformal_shift(truth: Floats, predicted: Floats, *, coverage: float) -> float:
    """Return what must be added to predicted quantiles so that they cover the promised share of new truths.

    Split conformal prediction for quantiles (Romano, Patterson, Candes, 2019), one-sided: the
    ceil((n + 1) * coverage)-th smallest of `truth - predicted`.

    Args:
        truth: (n,) of tasks that the quantile was not fitted on, at least one.
        predicted: (n,) their predicted quantiles.
        coverage: Share of truths that shall lie at or below the quantile.
    """
    missing = np.sort(truth - predicted)
    rank = min(len(missing), math.ceil((len(missing) + 1) * coverage))
    return float(missing[rank - 1])


def grouped_shifts(
    missing: Floats, group: NDArray[np.int64], task: NDArray[np.int64], *, groups: int, coverage: float
) -> Floats:
    """Return a conformal shift for each group (Mondrian conformal prediction), shrunk to that of all where few.

    Args:
        missing: (n,) truth over predicted quantile, of tasks that the quantile was not fitted on.
        group: (n,) number of the group, from 0.
        task: (n,) number of the task.
        groups: How many there are.
        coverage: Share of truths that shall lie at or below the quantile.
    """
    common = conformal_shift(missing, np.zeros_like(missing), coverage=coverage)
    shifts = np.full(groups, common)
    for number in np.unique(group):
        own = group == number
        tasks = len(np.unique(task[own]))
        shift = conformal_shift(missing[own], np.zeros(int(own.sum())), coverage=coverage)
        shifts[number] += (shift - common) * tasks / (tasks + SHIFT_SHRINKAGE)
    return shifts


def calibration_error(confidence: Floats, success: Floats) -> float:
    """Return the expected calibration error: |mean confidence - success rate| of equal bins, weighted by their size."""
    number = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(number, confidence - success, BINS)
    return float(np.abs(gaps).sum() / len(confidence))
