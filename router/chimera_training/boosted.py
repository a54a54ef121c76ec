"""Gradient-boosted trees with the quantile loss, an ensemble for each quantile."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import lightgbm
from onnx import ModelProto
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from chimera_training.ensemble import MEDIAN, Learner, Sample
from chimera_training.features import Floats

# `deterministic` with one seed and row-wise histograms: equal data gives equal trees.
SETTINGS = {
    "objective": "quantile",
    "learning_rate": 0.08,
    "min_data_in_leaf": 50,
    "num_threads": 1,  # two that wait for each other on a busy machine take far longer than one
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Size:
    """How large an ensemble is, and the share of features that each of its trees sees."""

    trees: int
    leaves: int
    features: float = 1.0

    def settings(self, quantile: float) -> dict[str, Any]:
        """Return LightGBM's settings of an ensemble for a quantile."""
        return {**SETTINGS, "num_leaves": self.leaves, "feature_fraction": self.features, "alpha": quantile}


# The median of what remains is what scheduling orders by, so it has the largest ensemble: 63 leaves lower its error by
# 1 % against 47. How many trees is a matter of cost: a row passes each of them.
REMAINING = Size(trees=200, leaves=63, features=0.6)
STAGE = Size(trees=150, leaves=31)
QUANTILE = Size(trees=100, leaves=31)


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """A LightGBM booster."""

    booster: Any

    def predict(self, rows: Any) -> Floats:
        """Return log(1 + tokens), (n,)."""
        answers: Floats = self.booster.predict(rows)
        return answers

    def graph(self, source: str, *, opset: int) -> ModelProto:
        """Return what onnxmltools makes of it."""
        inputs = [(source, FloatTensorType([None, self.booster.num_feature()]))]
        model: ModelProto = convert_lightgbm(self.booster, initial_types=inputs, target_opset=opset, name="lengths")
        return model


def fit_boosted(sample: Sample, quantiles: tuple[float, ...], *, median: Size) -> dict[float, BoostedTrees]:
    """Fit an ensemble for each quantile: the median of this size and by the weights, others of size `QUANTILE`.

    Weights favour some calls in the median; the other quantiles are to cover all calls alike.
    """
    return {
        quantile: _fit(sample, quantile, median, sample.weight)
        if quantile == MEDIAN
        else _fit(sample, quantile, QUANTILE, None)
        for quantile in quantiles
    }


def _fit(sample: Sample, quantile: float, size: Size, weight: Floats | None) -> BoostedTrees:
    data = lightgbm.Dataset(sample.rows, sample.target, weight=weight, free_raw_data=True)
    return BoostedTrees(lightgbm.train(size.settings(quantile), data, num_boost_round=size.trees))


BOOSTED = Learner(stage=partial(fit_boosted, median=STAGE), remaining=partial(fit_boosted, median=REMAINING))
