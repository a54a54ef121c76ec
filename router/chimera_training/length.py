"""Lengths: tokens of a call, and of all calls that its workflow still needs, as quantiles.

Trees on log(1 + tokens), boosted or a forest: quantiles survive the logarithm, and lengths spread over three orders of
magnitude. Models enter by traits measured against other models on the same tasks (a target encoding), never by a number
of their own, so that models outside the training data can be placed among them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chimera_training.boosted import BOOSTED
from chimera_training.bundle import DEFAULT_LEARNER, LearnerName
from chimera_training.calibration import grouped_shifts
from chimera_training.encodings import UNKNOWN, Encodings, fit_encodings
from chimera_training.ensemble import HIGH, MEDIAN, Ensemble, Fit, Learner, Sample
from chimera_training.examples import Calls, Examples, Integers, Mask
from chimera_training.features import Floats, length_rows, request_rows, text_measures
from chimera_training.forest import FOREST
from chimera_training.split import fold

# By the name that `chimera train --lengths` and the manifest give them.
LEARNERS: dict[LearnerName, Learner] = {"boosted": BOOSTED, "forest": FOREST}

# Weight of a call of a workflow in the median of what remains, where a prompt's only call has 1. Recorded prompts are
# many and what remains of them is one answer; at weight 1 they take the splits that workflows need, at a cost of 2.5 %
# of the error.
WORKFLOW_WEIGHT = 10.0

# Spread of the noise put on prompt tokens, in logarithms: the router estimates them from bytes, within about a tenth.
PROMPT_NOISE = 0.1

# Share of workflows whose application is hidden from the trees, so that they predict well for one that nobody knows.
HIDDEN_SHARE = 0.2

# Calls that shrink a model's traits halfway to the average model.
SHRINKAGE = 20

ROUNDS = 10  # of alternating means; traits move by less than 0.001 after these

# Parts of the training tasks. Each is encoded by measurements of the others, for no call may see its own length; and
# each calibrates the high quantiles by trees fitted on the others.
FOLDS = 3


@dataclass(frozen=True, slots=True)
class Learned:
    """What was measured of models and applications; the trees read it.

    Attributes:
        traits: (models, 3) `features.TRAIT_FEATURES` of each model.
        encodings: Of each application, numbered from 1, and each model in it.
    """

    traits: Floats
    encodings: Encodings


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthModel:
    """Fitted trees; all answer in log(1 + tokens).

    Attributes:
        stage: Median of this call.
        stage_high: The .9 quantile of the same, before its shift.
        remaining: Median of this and all later calls.
        remaining_high: The .9 quantile of the same, before its shift.
        shifts: (applications + 1, 2) to be added to `stage_high` and to `remaining_high`, row 0 where the application
            is not known.
        learned: What the trees read.
    """

    stage: Ensemble
    stage_high: Ensemble
    remaining: Ensemble
    remaining_high: Ensemble
    shifts: Floats
    learned: Learned


def fit_lengths(
    examples: Examples,
    readings: Floats,
    ability: Floats,
    training: Mask,
    *,
    learner: LearnerName = DEFAULT_LEARNER,
) -> LengthModel:
    """Fit on the training tasks; the application of a call is its task set.

    Args:
        examples: Recorded rows.
        readings: (tasks, `features.length_columns`) what the text heads read.
        ability: (models,) in logits over the average model.
        training: (tasks,) those to fit on.
        learner: Which of `LEARNERS` grows the trees.
    """
    calls = examples.calls.of(training)
    learned = _learn(examples, calls, ability)
    application = _hidden(applications(examples, calls), calls)
    part = np.array([fold(task_id, FOLDS) for task_id in examples.tasks.ids])[calls.task]
    rows = call_rows(examples, calls, readings, learned, application=application, noise=PROMPT_NOISE)
    for number in np.unique(part):
        own = part == number
        if not own.all():
            others = _learn(examples, calls.chosen(~own), ability)
            rows[own] = call_rows(examples, calls, readings, others, application=application, noise=PROMPT_NOISE)[own]
    weight = np.where(examples.tasks.workflow[calls.task], WORKFLOW_WEIGHT, 1.0)
    stage = Sample(rows=rows, target=np.log1p(calls.stage_tokens))
    remaining = Sample(rows=rows, target=np.log1p(calls.remaining_tokens), weight=weight)
    trees = LEARNERS[learner]
    stages, rests = trees.stage(stage, (MEDIAN, HIGH)), trees.remaining(remaining, (MEDIAN, HIGH))
    shifts = [
        grouped_shifts(missing, application, calls.task, groups=len(examples.domains) + 1, coverage=HIGH)
        for missing in (_missing(trees.stage, stage, part), _missing(trees.remaining, remaining, part))
    ]
    return LengthModel(
        stage=stages[MEDIAN],
        stage_high=stages[HIGH],
        remaining=rests[MEDIAN],
        remaining_high=rests[HIGH],
        shifts=np.column_stack(shifts),
        learned=learned,
    )


def applications(examples: Examples, calls: Calls) -> Integers:
    """Return the number of each call's application, from 1: in recorded data its task set."""
    numbers: Integers = examples.tasks.domain[calls.task] + 1
    return numbers


def call_rows(  # noqa: PLR0913 - what is known of the calls, by name
    examples: Examples,
    calls: Calls,
    readings: Floats,
    learned: Learned,
    *,
    application: Integers,
    noise: float = 0.0,
) -> Any:
    """Return the input of the trees, (calls, features), with noise of this spread on the prompt tokens."""
    measures = np.array([text_measures(text) for text in examples.tasks.texts], dtype=np.float64)
    known = calls.known.copy()
    known[:, 0] *= np.exp(np.random.default_rng(0).normal(0.0, noise, len(known)))
    return length_rows(
        request_rows(known, measures[calls.task], calls.messages),
        readings[calls.task],
        learned.traits[calls.model],
        learned.encodings.rows(application, calls.stage, calls.model),
    )


def _learn(examples: Examples, calls: Calls, ability: Floats) -> Learned:
    measured = np.column_stack(
        [np.log1p(calls.stage_tokens), np.log1p(calls.remaining_tokens), np.log1p(calls.stages_left), calls.success]
    )
    shape = len(examples.domains), len(ability)
    encodings = fit_encodings(measured, applications(examples, calls), calls.stage, calls.model, shape=shape)
    return Learned(np.column_stack([ability, *_verbosity(calls, len(ability))]), encodings)


def _hidden(application: Integers, calls: Calls) -> Integers:
    """Hide the application of some pairs of task and model: all stages of a workflow, lest one betrays another's."""
    drawn = np.random.default_rng(0).random((int(calls.task.max()) + 1, int(calls.model.max()) + 1))
    return np.where(drawn[calls.task, calls.model] < HIDDEN_SHARE, UNKNOWN, application)


def _missing(fit: Fit, sample: Sample, part: Integers) -> Floats:
    """Return by how much each target exceeds the high quantile of trees that had not seen the call's task."""
    missing = np.zeros(len(part))
    for number in np.unique(part):
        own = part == number
        if not own.all():
            trees = fit(sample.chosen(~own), (HIGH,))[HIGH]
            missing[own] = sample.target[own] - trees.predict(sample.rows[own])
    return missing


def _verbosity(calls: Calls, models: int) -> tuple[Floats, Floats]:
    same = calls.task * (int(calls.stage.max()) + 1) + calls.stage
    group = np.unique(same, return_inverse=True)[1]
    stage, remaining = np.log1p(calls.stage_tokens), np.log1p(calls.remaining_tokens)
    return effects(stage, group, calls.model, models), effects(remaining, group, calls.model, models)


def effects(values: Floats, group: Integers, model: Integers, models: int) -> Floats:
    """Return how far each model's values lie above other models' in the same group, shrunk towards 0.

    A two-way fit, value = group + model, by alternating means.

    Args:
        values: (n,) what was measured.
        group: (n,) number of the group that a value belongs to, from 0.
        model: (n,) number of its model.
        models: How many models there are.
    """
    effect = np.zeros(models)
    group_sizes = np.bincount(group)
    model_sizes = np.bincount(model, minlength=models) + SHRINKAGE
    for _ in range(ROUNDS):
        level = np.bincount(group, values - effect[model]) / group_sizes
        effect = np.bincount(model, values - level[group], models) / model_sizes
    return effect
