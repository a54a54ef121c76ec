"""What was measured of an application and of each model in it, as numbers for the length trees (target encodings).

    value = level(application, stage) + effect(application, model)

Few values say little: each level is shrunk towards that of all applications at its stage, each effect towards the
model's effect in all applications, and that towards 0. Application 0 stands for one that is not known: it has the
levels and effects of all. Nothing here may import more than numpy: the router imports this module.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chimera_training.features import Floats, on_grid

Integers = NDArray[np.int64]
_Numbers = TypeVar("_Numbers", float, Floats)

# What is measured of every call, in the order of the last axis of `levels` and `effects`.
MEASURED = ("log_stage_tokens", "log_remaining_tokens", "log_stages_left", "success")

UNKNOWN = 0  # number of the application that is not known

# Stages told apart; later ones have the levels of the last. Few recorded workflows are longer.
STAGES = 8

# Values that outweigh, half and half, what a level or an effect is shrunk to. A model meets an application in fewer
# calls than others do, and its effect there differs less from its effect elsewhere.
LEVEL_SHRINKAGE = 20.0
MODEL_SHRINKAGE = 20.0
APPLICATION_SHRINKAGE = 10.0


@dataclass(frozen=True, slots=True)
class Encodings:
    """What was measured; row 0 of both is of an application that is not known.

    Attributes:
        levels: (applications + 1, STAGES, MEASURED) of the average model.
        effects: (applications + 1, models, MEASURED) of each model, over the level.
    """

    levels: Floats
    effects: Floats

    def rows(self, application: Integers, stage: Integers, model: Integers) -> Floats:
        """Return `features.APPLICATION_FEATURES` for n calls, (n, columns): whether known, levels, effects."""
        levels = self.levels[application, stage.clip(max=STAGES - 1)]
        return np.column_stack([application != UNKNOWN, levels, self.effects[application, model]])


class PoolRows:
    """Rows of the length trees for every model of a pool; what does not change with the request is laid out once.

    Args:
        traits: (models, 3), `TRAIT_FEATURES`.
        encodings: Of these models.
    """

    def __init__(self, traits: Floats, encodings: Encodings) -> None:
        applications, models = len(encodings.levels), len(traits)
        places = np.indices((applications, STAGES, models)).reshape(3, -1)
        known = np.hstack([traits[places[2]], encodings.rows(*places)])
        self._known = on_grid(known).reshape(applications, STAGES, models, -1)

    def rows(self, requests: Floats, readings: Floats, application: Integers, stage: Integers) -> NDArray[np.float32]:
        """Return the input of the trees for n requests: all models of the first request, then of the second.

        Args:
            requests: (n, `REQUEST_FEATURES`).
            readings: (n, `length_columns`).
            application: (n,).
            stage: (n,).
        """
        known = self._known[application, np.minimum(stage, STAGES - 1)]
        first, asked = requests.shape[1], requests.shape[1] + readings.shape[1]
        rows = np.empty((*known.shape[:2], asked + known.shape[2]), dtype=np.float32)
        rows[:, :, :first] = on_grid(requests)[:, None]
        rows[:, :, first:asked] = on_grid(readings)[:, None]
        rows[:, :, asked:] = known
        return rows.reshape(-1, rows.shape[2])


def fit_encodings(
    measured: Floats, application: Integers, stage: Integers, model: Integers, *, shape: tuple[int, int]
) -> Encodings:
    """Fit by means of what the coarser means leave over.

    Args:
        measured: (n, MEASURED) of calls.
        application: (n,) from 1.
        stage: (n,) from 0.
        model: (n,) from 0.
        shape: How many applications, the one that is not known left out, and how many models there are.
    """
    applications, models = shape
    stage = stage.clip(max=STAGES - 1)
    mean = measured.mean(axis=0)
    overall = mean + _shrunk(measured - mean, stage, STAGES, LEVEL_SHRINKAGE)
    place = application * STAGES + stage
    own = _shrunk(measured - overall[stage], place, (applications + 1) * STAGES, LEVEL_SHRINKAGE)
    levels = overall + own.reshape(applications + 1, STAGES, -1)
    rest = measured - levels[application, stage]
    common = _shrunk(rest, model, models, MODEL_SHRINKAGE)
    pair = _shrunk(
        rest - common[model], application * models + model, (applications + 1) * models, APPLICATION_SHRINKAGE
    )
    return Encodings(levels, common + pair.reshape(applications + 1, models, -1))


def shrunk(total: _Numbers, count: _Numbers, shrinkage: float) -> _Numbers:
    """Return the mean of `count` values that sum up to `total`, as if `shrinkage` values of 0 stood beside them."""
    return total / (count + shrinkage)


def _shrunk(values: Floats, group: Integers, groups: int, shrinkage: float) -> Floats:
    """Return each group's `shrunk` mean, (groups, columns)."""
    sums: Floats = np.column_stack([np.bincount(group, column, groups) for column in values.T])
    return shrunk(sums, np.bincount(group, minlength=groups)[:, None].astype(np.float64), shrinkage)
