"""Who is able, what is easy: item response models, fitted by Newton steps in numpy.

Rasch (1960): logit p(model, task) = ability(model) + ease(task), each with a normal prior around 0.
"""

import numpy as np

from chimera_training.examples import Integers, Outcomes
from chimera_training.features import Floats

# Precision (1 / variance, in logits) of an ability's prior: models differ by about 2, a wider prior changes nothing.
ABILITY_PRECISION = 0.1

# Precisions of the priors of a model's own head: its ability in a domain differs by about 1 from what its overall
# ability and the ease of the domain predict, its slope on the difficulty hardly from -1.
DOMAIN_PRECISION = 1.0
SLOPE_PRECISION = 30.0

ROUNDS = 40  # of alternating steps: abilities move by less than 0.001 after these
HEAD_ROUNDS = 25  # of Newton steps on one head; it converges in under ten


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    chances: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return chances


def fit_rasch(answers: Outcomes, *, tasks: int, models: int, task_precision: float) -> tuple[Floats, Floats]:
    """Fit one ease for each task and one ability for each model.

    Args:
        answers: Which task, which model, right or wrong.
        tasks: Number of tasks.
        models: Number of models.
        task_precision: Of the prior of an ease; a task without answers has ease 0.

    Returns:
        Eases (tasks,) and abilities (models,), in logits.
    """
    ease, ability = np.zeros(tasks), np.zeros(models)
    for _ in range(ROUNDS):
        ease += _step(answers, ability[answers.model] + ease[answers.task], answers.task, ease, task_precision)
        ability += _step(
            answers, ability[answers.model] + ease[answers.task], answers.model, ability, ABILITY_PRECISION
        )
    return ease, ability


def _step(answers: Outcomes, logits: Floats, group: Integers, values: Floats, precision: float) -> Floats:
    """Return the Newton step of every value, the others held."""
    chance = sigmoid(logits)
    slope = np.bincount(group, answers.success - chance, len(values)) - precision * values
    curvature = np.bincount(group, chance * (1 - chance), len(values)) + precision
    step: Floats = slope / curvature
    return step


def fit_head(readings: Floats, success: Floats, *, prior: Floats) -> Floats:
    """Fit one model's coefficients on what was read in its tasks, around a prior.

    Args:
        readings: (n, domains + 1): a probability for each domain, and the difficulty.
        success: (n,) 1 where it answered right.
        prior: (domains + 1,) where the coefficients stay without answers.

    Returns:
        (domains + 1,) maximum a posteriori.
    """
    precision = np.append(np.full(len(prior) - 1, DOMAIN_PRECISION), SLOPE_PRECISION)
    head = prior.copy()
    for _ in range(HEAD_ROUNDS):
        chance = sigmoid(readings @ head)
        slope = readings.T @ (success - chance) - precision * (head - prior)
        curvature = (readings.T * (chance * (1 - chance))) @ readings + np.diag(precision)
        head = head + np.linalg.solve(curvature, slope)
    return head
