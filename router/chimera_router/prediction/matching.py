"""Which model of the bundle stands in for a model of the pool."""

import math
from collections.abc import Callable, Sequence

from chimera_router.scheduling.types import Model
from chimera_training.bundle import TrainedModel


def match(model: Model, trained: Sequence[TrainedModel]) -> int | None:
    """Return the index of the trained model whose predictions serve for a model of the pool.

    In this order: the one its descriptor names (`trained_as`), or of its own name; the nearest in parameters of the
    same family; the nearest in parameters of any family; None where the descriptor gives neither. Nearness is the
    ratio of parameters. Of equally near ones it is the nearest in general score, where the descriptor gives one, else
    the best: what is deployed today is no worse than what was recorded. Names break what ties are left, so the answer
    never depends on the order of the bundle.
    """
    wanted = (model.descriptor.trained_as or model.name).lower()
    named = _indices(trained, lambda other: other.name.lower() == wanted)
    if named:
        return named[0]
    family = model.descriptor.family.lower()
    relatives = _indices(trained, lambda other: family != "" and other.family == family)
    sized = _indices(trained, lambda other: model.descriptor.parameters_b > 0 and other.parameters_b > 0)
    candidates = relatives or sized
    return min(candidates, key=lambda index: _distance(model, trained[index]), default=None)


def _indices(trained: Sequence[TrainedModel], fits: Callable[[TrainedModel], bool]) -> list[int]:
    return [index for index, other in enumerate(trained) if fits(other)]


def _distance(model: Model, other: TrainedModel) -> tuple[float, float, str]:
    score = model.descriptor.general_score
    by_score = abs(score - other.general_score) if score > 0 else -other.general_score
    return (_ratio(model.descriptor.parameters_b, other.parameters_b), by_score, other.name)


def _ratio(ours: float, theirs: float) -> float:
    """Return how far apart two sizes are, as the logarithm of their ratio; 0 where ours is not known."""
    if ours <= 0:
        return 0.0
    return abs(math.log(ours / theirs)) if theirs > 0 else math.inf
