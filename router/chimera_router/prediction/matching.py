"""What a bundle makes of the models of a pool: those that it knows by name, those placed among them, those left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chimera_router.scheduling.types import Model
from chimera_training.bundle import TrainedModel
from chimera_training.features import Floats
from chimera_training.heads import can_place, place


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a model of the pool stands among those of the bundle.

    Attributes:
        head: (readings,) logit of success = readings . head.
        traits: (3,) `features.TRAIT_FEATURES`.
        effects: (applications * measured,) of `TrainedModel.effects`, row by row.
    """

    head: Floats
    traits: Floats
    effects: Floats


def stand(model: Model, trained: Sequence[TrainedModel]) -> Stand | None:
    """Return where a model of the pool stands.

    That of the trained model which its descriptor names (`trained_as`), or of its own name, whatever the case; else
    where models of its size, family and general score are expected; None where nothing of these is known on both
    sides.
    """
    wanted = (model.descriptor.trained_as or model.name).lower()
    for known in trained:
        if known.name.lower() == wanted:
            return _stand(_values(known), known)
    if not can_place(model.descriptor, trained):
        return None
    values = np.array([_values(known) for known in trained])
    return _stand(place(model.descriptor, trained, values).expected, trained[0])


def _values(known: TrainedModel) -> Floats:
    return np.concatenate([known.head, known.traits(), np.ravel(known.effects)])


def _stand(values: Floats, like: TrainedModel) -> Stand:
    head, traits, effects = np.split(values, np.cumsum([len(like.head), len(like.traits())]))
    return Stand(head, traits, effects)
