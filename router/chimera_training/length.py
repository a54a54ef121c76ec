"""Lengths: tokens of a call, and of all calls that its workflow still needs, as quantiles.

Gradient-boosted trees with the quantile loss, on log(1 + tokens): quantiles survive the logarithm, and lengths spread
over three orders of magnitude. Models enter by traits measured against other models on the same tasks (a target
encoding), never by a number of their own, so that models outside the training data can be placed among them.
"""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from chimera_training.calibration import conformal_shift
from chimera_training.examples import Calls, Examples, Integers, Mask
from chimera_training.features import Floats, length_rows, request_rows, text_measures
from chimera_training.split import fold

MEDIAN = 0.5
HIGH = 0.9

# 200 trees of 31 leaves: 300 trees or 63 leaves change held-out errors by under 2 % and add half a megabyte.
# `deterministic` with one seed and row-wise histograms: equal data gives equal trees.
SETTINGS = {
    "objective": "quantile",
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 50,
    "num_threads": 2,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
TREES = 200

# Spread of the noise put on prompt tokens, in logarithms: the router estimates them from bytes, within about a tenth.
PROMPT_NOISE = 0.1

# Calls that shrink a model's traits halfway to the average model.
SHRINKAGE = 20

ROUNDS = 10  # of alternating means; traits move by less than 0.001 after these

# One of this many folds of the training tasks calibrates the high quantile instead of training it.
CALIBRATION_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthModel:
    """Fitted trees; all answer in log(1 + tokens).

    Attributes:
        stage: Median of this call.
        remaining: Median of this and all later calls.
        remaining_high: The .9 quantile of the same, before `high_shift`.
        high_shift: To be added to the .9 quantile.
        traits: (models, 3) `features.TRAIT_FEATURES` of each model.
    """

    stage: Any
    remaining: Any
    remaining_high: Any
    high_shift: float
    traits: Floats


def fit_lengths(examples: Examples, readings: Floats, ability: Floats, training: Mask) -> LengthModel:
    """Fit on the training tasks.

    Args:
        examples: Recorded rows.
        readings: (tasks, `features.length_columns`) what the text heads read.
        ability: (models,) in logits over the average model.
        training: (tasks,) those to fit on.
    """
    calls = examples.calls.of(training)
    traits = np.column_stack([ability, *_verbosity(calls, len(ability))])
    rows = call_rows(examples, calls, readings, traits, noise=PROMPT_NOISE)
    stage, remaining = np.log1p(calls.stage_tokens), np.log1p(calls.remaining_tokens)
    calibrating = _calibrating(examples)[calls.task]
    high = _fit(rows[~calibrating], remaining[~calibrating], HIGH)
    return LengthModel(
        stage=_fit(rows, stage, MEDIAN),
        remaining=_fit(rows, remaining, MEDIAN),
        remaining_high=high,
        high_shift=_shift(high, rows[calibrating], remaining[calibrating]),
        traits=traits,
    )


def call_rows(examples: Examples, calls: Calls, readings: Floats, traits: Floats, *, noise: float = 0.0) -> Any:
    """Return the input of the trees, (calls, features), with noise of this spread on the prompt tokens."""
    measures = np.array([text_measures(text) for text in examples.tasks.texts], dtype=np.float64)
    known = calls.known.copy()
    known[:, 0] *= np.exp(np.random.default_rng(0).normal(0.0, noise, len(known)))
    return length_rows(request_rows(known, measures[calls.task]), readings[calls.task], traits[calls.model])


def _fit(rows: Any, target: Floats, quantile: float) -> Any:
    data = lightgbm.Dataset(rows, target, free_raw_data=True)
    return lightgbm.train({**SETTINGS, "alpha": quantile}, data, num_boost_round=TREES)


def _shift(high: Any, rows: Any, truth: Floats) -> float:
    return conformal_shift(truth, high.predict(rows), coverage=HIGH) if len(rows) else 0.0


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


def _calibrating(examples: Examples) -> Mask:
    return np.array([fold(task_id, CALIBRATION_FOLDS) == 0 for task_id in examples.tasks.ids])
