"""Ridge regression on several targets at once, and what it says of rows that it was fitted without.

The matrix of the normal equations is a sum over rows: that of a fit without a fold is the whole one less the fold's,
so cross-fitting costs a factorisation a fold and no second pass over the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from chimera_training.examples import Integers
from chimera_training.features import Floats

# Rows made dense at a time: 40 MB at 10,000 columns, and enough for the matrix product to run at full speed.
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Ridge:
    """A fitted regression.

    Attributes:
        weights: (width, targets).
        bias: (targets,) weighted means of the targets, from which the weights lead away.
    """

    weights: Floats
    bias: Floats

    def predict(self, vectors: Any) -> Floats:
        """Return the targets, (n, targets)."""
        predicted: Floats = np.asarray(vectors @ self.weights) + self.bias
        return predicted


def fit_ridge(vectors: Any, targets: Floats, weight: Floats, fold: Integers, *, penalty: float) -> tuple[Ridge, Floats]:
    """Fit on all rows, and predict every row without its fold.

    Args:
        vectors: (n, width), dense or sparse.
        targets: (n, targets).
        weight: (n,) how much each row counts.
        fold: (n,) number of each row's fold; where all are in one, its rows are predicted by the fit on all.
        penalty: Added to the diagonal, in units of weight.

    Returns:
        The fit; and (n, targets) predictions.
    """
    sums = {number: _Sums.of(vectors, targets, weight, np.flatnonzero(fold == number)) for number in np.unique(fold)}
    whole = sum(sums.values(), _Sums.zero(vectors.shape[1], targets.shape[1]))
    fitted = whole.solve(penalty)
    predicted = np.empty_like(targets)
    for number, part in sums.items():
        without = (whole - part).solve(penalty) if len(sums) > 1 else fitted
        predicted[fold == number] = without.predict(vectors[np.flatnonzero(fold == number)])
    return fitted, predicted


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted sums over rows: of products of columns, of columns times targets, of columns, of targets, of weights."""

    products: Any
    crossed: Floats
    columns: Floats
    targets: Floats
    weight: float

    @staticmethod
    def zero(width: int, targets: int) -> "_Sums":
        shape = np.zeros((width, width), dtype=np.float32)
        return _Sums(shape, np.zeros((width, targets)), np.zeros(width), np.zeros(targets), 0.0)

    @staticmethod
    def of(vectors: Any, targets: Floats, weight: Floats, rows: Integers) -> "_Sums":
        sums = _Sums.zero(vectors.shape[1], targets.shape[1])
        for some in _chunks(rows):
            block, scale = _dense(vectors[some]), np.sqrt(weight[some]).astype(np.float32)[:, None]
            scaled = block * scale
            weighted = block * weight[some][:, None]
            sums += _Sums(
                scaled.T @ scaled,
                weighted.T @ targets[some],
                weighted.sum(axis=0),
                weight[some] @ targets[some],
                float(weight[some].sum()),
            )
        return sums

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))

    def solve(self, penalty: float) -> Ridge:
        bias = self.targets / self.weight
        matrix = self.products.astype(np.float64)
        matrix[np.diag_indices_from(matrix)] += penalty
        factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
        return Ridge(cho_solve(factor, self.crossed - np.outer(self.columns, bias), check_finite=False), bias)


def _chunks(rows: Integers) -> Iterator[Integers]:
    return (rows[first : first + ROWS_AT_ONCE] for first in range(0, len(rows), ROWS_AT_ONCE))


def _dense(block: Any) -> Any:
    return (block.toarray() if sparse.issparse(block) else np.asarray(block)).astype(np.float32)
