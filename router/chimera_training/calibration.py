"""Keeping promises on new tasks: how far a quantile must be shifted, how far confidences are off."""

import math

import numpy as np

from chimera_training.features import Floats

BINS = 10  # of the calibration error, as the literature counts it (Guo et al., 2017)


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


def calibration_error(confidence: Floats, success: Floats) -> float:
    """Return the expected calibration error: |mean confidence - success rate| of equal bins, weighted by their size."""
    number = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(number, confidence - success, BINS)
    return float(np.abs(gaps).sum() / len(confidence))
