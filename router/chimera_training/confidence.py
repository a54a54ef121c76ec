"""Confidence: the chance that a model answers right, read from the text of the task.

    logit p(model) = sum over domains of P(domain | text) * ability(model, domain) + slope(model) * difficulty(text)

A model's abilities start from one overall ability and the ease of each domain, and leave them as far as its own answers
say; so a model that was never recorded in a domain is placed by its answers elsewhere. Abilities are fitted on tasks as
read by heads that have not seen them, which keeps confidences calibrated on new tasks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_training.abilities import fit_rasch
from chimera_training.encoder import Encoder
from chimera_training.examples import Examples, Integers, Mask, Outcomes
from chimera_training.features import Floats, reading_names
from chimera_training.heads import confidence, fit_head, head_precision, sigmoid
from chimera_training.reading import LabelledTexts, TextHeads, fit_reading

# Precisions (1 / variance, in logits) of the priors: tasks of a domain differ in ease by about 1.5, domains by more.
TASK_PRECISION = 0.5
DOMAIN_EASE_PRECISION = 0.1

SLOPE = -1.0  # logits of success lost by a logit of difficulty: by definition, for the average model


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceModel:
    """Heads that read a text, and what each model makes of it.

    Attributes:
        heads: Text to readings: domains and difficulty.
        readings: Names of the readings, in order.
        abilities: (readings, models), each column a model's head: ability in every domain, slope on the difficulty.
        ability: (models,) overall, in logits over the average model.
        general_score: (models,) chance of a right answer, averaged over the domains at average difficulty.
    """

    heads: TextHeads
    readings: tuple[str, ...]
    abilities: Floats
    ability: Floats
    general_score: Floats

    def confidence(self, readings: Floats) -> Floats:
        """Return the chance that each model answers right, (texts, models), from what the heads read."""
        return confidence(readings, self.abilities)


def fit_confidence(examples: Examples, encoder: Encoder, training: Mask) -> tuple[ConfidenceModel, Floats]:
    """Fit on the training tasks, (tasks,).

    Returns:
        The model; and what was read in every task, (tasks, readings), in training tasks by heads fitted without them:
        such readings as new tasks will give.
    """
    outcomes = examples.outcomes.of(training)
    texts = _labelled(examples, outcomes, encoder.encode(examples.tasks.texts))
    heads, readings = fit_reading(texts, examples.tasks.ids, training)
    by_domain = Outcomes(task=examples.tasks.domain[outcomes.task], model=outcomes.model, success=outcomes.success)
    ease, ability = fit_rasch(
        by_domain, tasks=len(examples.domains), models=len(examples.models), task_precision=DOMAIN_EASE_PRECISION
    )
    priors = np.vstack([ease[:, None] + ability[None, :], np.full((1, len(ability)), SLOPE)])
    names = reading_names(examples.domains)
    model = ConfidenceModel(
        heads=heads,
        readings=names,
        abilities=_fit_abilities(readings, outcomes, priors, head_precision(names)),
        ability=ability - ability.mean(),
        general_score=sigmoid(priors[:-1]).mean(axis=0),
    )
    return model, readings


def task_difficulty(examples: Examples, outcomes: Outcomes) -> tuple[Floats, Integers]:
    """Return how difficult every task is inside its domain, whoever answered it.

    Returns:
        (tasks,) in logits of failure, 0 without answers; and (tasks,) the answers it rests on.
    """
    tasks, domains = len(examples.tasks.ids), len(examples.domains)
    # One ability for each model and domain, so that what is left over is difficulty inside the domain.
    specialist = outcomes.model * domains + examples.tasks.domain[outcomes.task]
    answers = Outcomes(task=outcomes.task, model=specialist, success=outcomes.success)
    ease, _ = fit_rasch(answers, tasks=tasks, models=len(examples.models) * domains, task_precision=TASK_PRECISION)
    return -ease, np.bincount(outcomes.task, minlength=tasks)


def _labelled(examples: Examples, outcomes: Outcomes, vectors: Any) -> LabelledTexts:
    difficulty, answers = task_difficulty(examples, outcomes)
    return LabelledTexts(
        vectors=vectors,
        domain=examples.tasks.domain,
        difficulty=difficulty,
        answers=answers,
        domains=len(examples.domains),
    )


def _fit_abilities(readings: Floats, outcomes: Outcomes, priors: Floats, precision: Floats) -> Floats:
    abilities = priors.copy()
    for model in range(priors.shape[1]):
        own = outcomes.model == model
        abilities[:, model] = fit_head(
            readings[outcomes.task[own]], outcomes.success[own], prior=priors[:, model], precision=precision
        )
    return abilities
