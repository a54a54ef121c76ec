"""The quantile forest: a random forest whose leaves hold a quantile of the targets that fall into them.

The forest of Meinshausen (2006) pools the targets of all leaves that a row falls into and takes their quantile, which
no graph of trees can; averaging each leaf's own quantile is as accurate here and is a plain ensemble of trees. The
structure does not depend on the quantile, so one forest serves all of them, and their answers cannot cross.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestRegressor

from chimera_training.ensemble import Learner, Sample
from chimera_training.features import Floats

# A leaf costs 78 bytes of a graph: 19,000 of them are 1.5 MB. Of the same size, 20 trees of 1,000 leaves err 1 % less
# than 40 of 500 where workflows remain.
TREES = 20
LEAVES = 950

# Targets in a leaf, at the least: the second largest of 10 is near their .9 quantile.
LEAST_IN_LEAF = 10

# Share of features that each split chooses from: trees differ, and few splits miss those that matter.
FEATURES = 0.5

# Share of the calls' weight that each tree's structure is grown on, drawn with replacement: so trees differ, at half
# the time. Its leaves' quantiles are of all calls.
GROWN_ON = 0.5

PROCESSORS = 2  # where boosted trees have one: each grows trees of its own, and none waits for another


@dataclass(frozen=True, slots=True)
class LeafQuantiles:
    """Trees whose leaves hold a quantile.

    Attributes:
        forest: scikit-learn's, with the quantiles in the place of the means.
    """

    forest: RandomForestRegressor

    def predict(self, rows: Any) -> Floats:
        """Return the mean of the quantiles of the leaves that each row falls into."""
        answers: Floats = self.forest.predict(rows)
        return answers

    def graph(self, source: str, *, opset: int) -> ModelProto:
        """Return what skl2onnx makes of it."""
        inputs = [(source, FloatTensorType([None, self.forest.n_features_in_]))]
        model: ModelProto = convert_sklearn(self.forest, initial_types=inputs, target_opset=opset, name="lengths")
        return model


def fit_forest(sample: Sample, quantiles: tuple[float, ...]) -> dict[float, LeafQuantiles]:
    """Grow one structure, by squared error, and fill its leaves with each quantile.

    Args:
        sample: By its weights, if any, calls are drawn to grow on; every target counts once in its leaf.
        quantiles: Between 0 and 1.
    """
    forest = RandomForestRegressor(
        n_estimators=TREES,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_IN_LEAF,
        max_features=FEATURES,
        max_samples=GROWN_ON,
        n_jobs=PROCESSORS,
        random_state=0,
    ).fit(sample.rows, sample.target, sample.weight)
    # Two threads would add the trees' answers in the order in which they come.
    forest.set_params(n_jobs=1)
    leaves = forest.apply(sample.rows)
    return {quantile: LeafQuantiles(_filled(forest, leaves, sample.target, quantile)) for quantile in quantiles}


def leaf_quantiles(target: Floats, leaf: Any, quantile: float, *, leaves: int) -> Floats:
    """Return the quantile of the targets in each leaf, (leaves,), interpolated as numpy does; 0 where there are none.

    Args:
        target: (n,).
        leaf: (n,) number of the leaf that each target is in, from 0.
        quantile: Between 0 and 1.
        leaves: How many there are.
    """
    ordered = target[np.lexsort((target, leaf))]
    counts = np.bincount(leaf, minlength=leaves)
    filled = counts > 0
    first = (counts.cumsum() - counts)[filled]
    steps = quantile * (counts[filled] - 1)
    below = np.floor(steps).astype(np.int64)
    above = np.ceil(steps).astype(np.int64)
    values = np.zeros(leaves)
    values[filled] = ordered[first + below]
    values[filled] += (steps - below) * (ordered[first + above] - ordered[first + below])
    return values


def _filled(forest: RandomForestRegressor, leaves: Any, target: Floats, quantile: float) -> RandomForestRegressor:
    filled = deepcopy(forest)
    for tree, leaf in zip(filled.estimators_, leaves.T, strict=True):
        tree.tree_.value[:, 0, 0] = leaf_quantiles(target, leaf, quantile, leaves=tree.tree_.node_count)
    return filled


FOREST = Learner(stage=fit_forest, remaining=fit_forest)
