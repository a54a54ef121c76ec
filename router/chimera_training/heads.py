"""A model's head: what makes its confidence out of what was read in a text; defined once for training and the router.

    logit of success = readings . head

Every model of a bundle has a head. One that is not in the bundle is placed among those that are: each number of its
head is expected on a line over what describes models, shrunk towards their mean, and what lies off the line says how
far observed answers may move the head (an empirical Bayes prior). Nothing here may import more than numpy: the router
imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chimera_training.features import DIFFICULTY, Floats

# Precisions (1 / variance, in logits) of the prior of a trained model's head: its ability in a domain differs by about
# 1 from what its overall ability and the ease of the domain predict, its slope on the difficulty hardly from -1.
PRECISION = 1.0
SLOPE_PRECISION = 30.0

HEAD_ROUNDS = 25  # of Newton steps on one head; it converges in under ten

# Added to the spread of the other models' log sizes, in squared logarithms: two models of one size say nothing of size.
SIZE_SHRINKAGE = 1.0

# Relatives that move a model half of the way from the line to their own mean.
FAMILY_SHRINKAGE = 1.0

# Spread of a published general score around the mean over the bundle's domains, in logits: other tasks, other prompts.
SCORE_NOISE = 0.7

# Scores nearer to 0 or 1 than this have no meaning, and no finite logit at the end.
SMALLEST_SCORE = 0.01

# Share by which covariances of residuals shrink towards their diagonal: there are fewer models than pairs of readings.
COVARIANCE_SHRINKAGE = 0.2

# Added to every residual's variance, in squared logits: no model is known exactly before it has answered.
SMALLEST_VARIANCE = 0.03


class Described(Protocol):
    """What is known of a model without its answers; zero or empty means not known."""

    @property
    def parameters_b(self) -> float:
        """Total parameters, in billions."""

    @property
    def family(self) -> str:
        """Model family, such as `llama-3`."""

    @property
    def general_score(self) -> float:
        """Share of general questions answered right."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model is expected among others.

    Attributes:
        expected: (k,) its values.
        residuals: (models, k) how far the others lie from where they are expected themselves.
    """

    expected: Floats
    residuals: Floats

    def precision(self) -> Floats:
        """Return the inverse of the covariance of the values around `expected`, (k, k)."""
        covariance = self.residuals.T @ self.residuals / len(self.residuals)
        same = np.eye(len(covariance))
        shrunk = covariance * (1 - COVARIANCE_SHRINKAGE * (1 - same)) + SMALLEST_VARIANCE * same
        inverse: Floats = np.linalg.inv(shrunk).astype(np.float64)
        return inverse


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    chances: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return chances


def confidence(readings: Floats, heads: Floats) -> Floats:
    """Return the chance that each model answers right, (texts, models).

    Args:
        readings: (texts, readings) what was read.
        heads: (readings, models) each column a model's head.
    """
    return sigmoid(readings @ heads)


def head_precision(readings: Sequence[str]) -> Floats:
    """Return the precision of a trained model's prior, (readings, readings), for readings of these names."""
    return np.diag([SLOPE_PRECISION if name == DIFFICULTY else PRECISION for name in readings])


def fit_head(readings: Floats, success: Floats, *, prior: Floats, precision: Floats) -> Floats:
    """Fit one model's head on answers, around a prior, by Newton steps.

    Args:
        readings: (n, readings) what was read in the tasks that it answered.
        success: (n,) 1 where it answered right.
        prior: (readings,) where the head stays without answers.
        precision: (readings, readings) how firmly: the inverse of the prior's covariance.

    Returns:
        (readings,) maximum a posteriori.
    """
    head = prior.copy()
    for _ in range(HEAD_ROUNDS):
        chance = sigmoid(readings @ head)
        slope = readings.T @ (success - chance) - precision @ (head - prior)
        curvature = (readings.T * (chance * (1 - chance))) @ readings + precision
        head = head + np.linalg.solve(curvature, slope)
    return head


def can_place(model: Described, others: Sequence[Described]) -> bool:
    """Tell whether anything that is known of a model is known of another too."""
    return model.general_score > 0 or bool(_relatives(model, others).any() or _sized(model, others).any())


def place(model: Described, others: Sequence[Described], values: Floats) -> Placement:
    """Place a model among others, by whatever of size, family and general score is known on both sides.

    Ridge regression of all values at once. Models of unknown size say nothing where the size is known, and are then
    left out.

    Args:
        model: The model to place.
        others: At least one.
        values: (others, k) of the others: heads, traits, or both side by side.
    """
    sized = _sized(model, others)
    if sized.any():
        chosen = [other for other, has in zip(others, sized, strict=True) if has]
        return _regress(_columns(model, chosen, sized=True), values[sized])
    return _regress(_columns(model, others, sized=False), values)


@dataclass(frozen=True, slots=True)
class _Column:
    """One thing known: of the others, of the model to place, and how strongly its coefficient is shrunk to 0."""

    others: Floats
    own: float
    penalty: float


def _columns(model: Described, others: Sequence[Described], *, sized: bool) -> list[_Column]:
    columns = [
        _Column(np.ones(len(others)), 1.0, 0.0),
        _Column(_relatives(model, others), 1.0, FAMILY_SHRINKAGE),
    ]
    if sized:
        sizes = np.log([other.parameters_b for other in others])
        columns.append(_centred(sizes, float(np.log(model.parameters_b)), SIZE_SHRINKAGE))
    if model.general_score > 0:
        scores = _logits([other.general_score for other in others])
        (own,) = _logits([model.general_score])
        columns.append(_centred(scores, float(own), len(others) * SCORE_NOISE**2))
    return columns


def _centred(others: Floats, own: float, penalty: float) -> _Column:
    return _Column(others - others.mean(), own - float(others.mean()), penalty)


def _regress(columns: Sequence[_Column], values: Floats) -> Placement:
    design = np.column_stack([column.others for column in columns])
    penalties = np.diag([column.penalty for column in columns])
    coefficients = np.linalg.solve(design.T @ design + penalties, design.T @ values)
    own = np.array([column.own for column in columns])
    return Placement(expected=own @ coefficients, residuals=values - design @ coefficients)


def _relatives(model: Described, others: Sequence[Described]) -> Floats:
    family = model.family.lower()
    return np.array([family != "" and other.family.lower() == family for other in others], dtype=np.float64)


def _sized(model: Described, others: Sequence[Described]) -> NDArray[np.bool_]:
    return np.array([model.parameters_b > 0 and other.parameters_b > 0 for other in others])


def _logits(scores: Sequence[float]) -> Floats:
    chance = np.clip(scores, SMALLEST_SCORE, 1 - SMALLEST_SCORE)
    logits: Floats = np.log(chance / (1 - chance))
    return logits
