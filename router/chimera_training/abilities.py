"""Who is able, what is easy: item response models, fitted by Newton steps in numpy.

Rasch (1960): logit p(model, task) = ability(model) + ease(task), each with a normal prior around 0.
"""

import numpy as np

from chimera_training.examples import Integers, Outcomes
from chimera_training.features import Floats
from chimera_training.heads import sigmoid

# Precision (1 / variance, in logits) of an ability's prior: models differ by about 2, a wider prior changes nothing.
ABILITY_PRECISION = 0.1

ROUNDS = 40  # of alternating steps: abilities move by less than 0.001 after these


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
