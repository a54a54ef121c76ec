"""What answers to probes say of models: their heads and their verbosity, told apart from how easy the probes are.

    logit P(model m answers probe i right) = readings_i . head_m + level + ease_group(i)

Nobody recorded how easy a generated probe is, and text heads that learned from other texts may misread it. So the level
of the whole set and the ease of every group of probes (of one kind, one difficulty) are estimated along with the heads,
all at once: the mode of the posterior, with normal priors. From the answers alone only differences between models are
identified, since models that are all better look like probes that are all easier. What anchors the level is the priors:
a model that the bundle knows has a firm one, its head; one that was merely placed by its descriptor has a wide one.
Where no model is known, a success that all share is split between probes and models as their priors' widths say.

The same holds for lengths: log(1 + tokens) = what the trees predict for the model + level + group + its own verbosity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chimera_training.examples import Integers, Outcomes
from chimera_training.features import Floats
from chimera_training.heads import sigmoid

# Precisions (1 / variance, in logits). The whole set may be misread by about 1; a group besides that by about 1.4, as
# much as recorded tasks of one domain differ.
LEVEL_PRECISION = 1.0
GROUP_PRECISION = 0.5

# Standard deviations, in log(1 + tokens): of one answer around its prediction; of the whole set, whose prompts ask for
# steps; of a group besides; of a model's verbosity where it was placed, and where it was recorded.
ANSWER_SPREAD = 0.5
LEVEL_SPREAD = 1.0
GROUP_SPREAD = 0.5
PLACED_SPREAD = 0.4
KNOWN_SPREAD = 0.1

ROUNDS = 60  # of Newton steps; far fewer do unless a prior is firm and wrong

# Logits by which one step may move a chance at most: where the start is nearly sure and wrong, a whole Newton step
# would go far beyond the other side.
LONGEST_STEP = 2.0

SHORTEST_STEP = 1e-6  # logits; after a shorter one the mode is found
LENGTH_ROUNDS = 3  # trees follow a verbosity almost one to one, so the second round moves it by a few hundredths

Groups = Integers


@dataclass(frozen=True, slots=True)
class HeadPrior:
    """Where a model's head is expected, (readings,), and the inverse of its covariance, (readings, readings)."""

    head: Floats
    precision: Floats

    def fixed(self) -> "HeadPrior":
        """Return a prior that no answer can move."""
        return HeadPrior(self.head, np.eye(len(self.head)) * 1e9)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was estimated.

    Attributes:
        eases: (groups,) the level included, in logits; a group without answers has the level.
        heads: (models, readings).
    """

    eases: Floats
    heads: Floats

    def confidence(self, answers: Outcomes, readings: Floats, groups: Groups) -> Floats:
        """Return the chance of every answer to be right, (answers,)."""
        head = self.heads[answers.model]
        return sigmoid((readings[answers.task] * head).sum(axis=1) + self.eases[groups[answers.task]])


def fit_heads(answers: Outcomes, readings: Floats, groups: Groups, priors: Sequence[HeadPrior]) -> Fitted:
    """Fit the heads of all models and the eases of all groups at once, by Newton steps.

    Args:
        answers: Task is the number of a probe, model that of a prior.
        readings: (probes, readings) what the text heads read in each.
        groups: (probes,) number of the group of each, from 0.
        priors: Of the models.
    """
    count, width = int(groups.max()) + 1, readings.shape[1]
    shared = 1 + count  # the level, then the groups
    start = np.concatenate([np.zeros(shared), *(prior.head for prior in priors)])
    precision = np.zeros((len(start), len(start)))
    precision[:shared, :shared] = np.diag([LEVEL_PRECISION, *[GROUP_PRECISION] * count])
    for model, prior in enumerate(priors):
        block = _block(model, shared, width)
        precision[block, block] = prior.precision
    design = _design(answers, readings, groups, shared=shared, models=len(priors))
    values = _maximise(design, answers.success, start, precision)
    return Fitted(eases=values[0] + values[1:shared], heads=values[shared:].reshape(len(priors), width))


def _block(model: int, shared: int, width: int) -> slice:
    return slice(shared + model * width, shared + (model + 1) * width)


def _design(answers: Outcomes, readings: Floats, groups: Groups, *, shared: int, models: int) -> Floats:
    width, rows = readings.shape[1], np.arange(len(answers.task))
    design = np.zeros((len(rows), shared + models * width))
    design[:, 0] = 1.0
    design[rows, 1 + groups[answers.task]] = 1.0
    for model in range(models):
        own = answers.model == model
        design[own, _block(model, shared, width)] = readings[answers.task[own]]
    return design


def _maximise(design: Floats, success: Floats, start: Floats, precision: Floats) -> Floats:
    values = start.copy()
    for _ in range(ROUNDS):
        chance = sigmoid(design @ values)
        slope = design.T @ (success - chance) - precision @ (values - start)
        curvature = (design.T * (chance * (1 - chance))) @ design + precision
        step = np.linalg.solve(curvature, slope)
        values = values + step / max(1.0, np.abs(design @ step).max(initial=0.0) / LONGEST_STEP)
        if np.abs(step).max() < SHORTEST_STEP:
            break
    return values


def cross_fitted(
    answers: Outcomes, readings: Floats, groups: Groups, priors: Sequence[HeadPrior], *, folds: int = 5
) -> Floats:
    """Return the chance of every answer, (answers,), by fits that have not seen any answer to its probe."""
    chances = np.empty(len(answers.task))
    fold = np.arange(len(groups)) % folds
    for number in range(folds):
        fitted = fit_heads(answers.of(fold != number), readings, groups, priors)
        asked = fold[answers.task] == number
        chances[asked] = fitted.confidence(answers.of(fold == number), readings, groups)
    return chances


def fit_verbosity(  # noqa: PLR0913 - answers, their lengths, and where both come from
    answers: Outcomes,
    tokens: Floats,
    groups: Groups,
    *,
    known: Sequence[bool],
    expected: Floats,
    predict: Callable[[Floats], Floats],
) -> Floats:
    """Fit how wordy each model is.

    Args:
        answers: Which probe, which model.
        tokens: (answers,) output tokens.
        groups: (probes,) number of the group of each.
        known: Whether each model was recorded.
        expected: (models,) the verbosity that each has in the bundle, or was placed at.
        predict: Of a verbosity for each model, the tokens that the trees predict, (probes, models).

    Returns:
        (models,) verbosity, in log(1 + tokens) over other models' at the same task.
    """
    verbosity = expected.copy()
    for _ in range(LENGTH_ROUNDS):
        predicted = np.log1p(predict(verbosity))[answers.task, answers.model]
        # What lies between the trees' answer and the truth, had the trees been asked for the expected verbosity.
        missing = np.log1p(tokens) - predicted + (verbosity - expected)[answers.model]
        verbosity = expected + _own_effects(missing, answers, groups, known)
    return verbosity


def _own_effects(values: Floats, answers: Outcomes, groups: Groups, known: Sequence[bool]) -> Floats:
    """Return the part of the values that is each model's own: ridge regression on level, group and model."""
    count, rows = int(groups.max()) + 1, np.arange(len(values))
    spreads = [LEVEL_SPREAD, *[GROUP_SPREAD] * count, *[KNOWN_SPREAD if each else PLACED_SPREAD for each in known]]
    design = np.zeros((len(rows), len(spreads)))
    design[:, 0] = 1.0
    design[rows, 1 + groups[answers.task]] = 1.0
    design[rows, 1 + count + answers.model] = 1.0
    penalty = np.diag(np.square(ANSWER_SPREAD / np.array(spreads)))
    effects: Floats = np.linalg.solve(design.T @ design + penalty, design.T @ values)
    return effects[1 + count :]
