import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import Ridge as Reference

from chimera_training.features import Floats
from chimera_training.ridge import fit_ridge


def rows(seed: int, count: int, width: int) -> tuple[Floats, Floats, Floats]:
    dice = np.random.default_rng(seed)
    return dice.normal(size=(count, width)), dice.normal(size=(count, 2)), dice.uniform(0.1, 1.0, size=count)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(6, 40), st.integers(1, 12), st.floats(0.1, 10.0))
def test_the_fit_solves_the_weighted_ridge_problem(seed: int, count: int, width: int, penalty: float) -> None:
    """As scikit-learn does around the weighted mean of the targets."""
    vectors, targets, weight = rows(seed, count, width)

    fitted, _ = fit_ridge(vectors, targets, weight, np.zeros(count, dtype=np.int64), penalty=penalty)

    mean = weight @ targets / weight.sum()
    reference = Reference(alpha=penalty, fit_intercept=False).fit(vectors, targets - mean, sample_weight=weight)
    assert fitted.bias == pytest.approx(mean)
    assert fitted.weights == pytest.approx(reference.coef_.T, abs=1e-3)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(10, 40), st.integers(1, 12))
def test_a_row_is_predicted_by_the_fit_without_its_fold(seed: int, count: int, width: int) -> None:
    """The same as leaving the fold out and fitting again."""
    vectors, targets, weight = rows(seed, count, width)
    fold = np.arange(count) % 3

    _, predicted = fit_ridge(vectors, targets, weight, fold, penalty=1.0)

    others = fold != 1
    again, _ = fit_ridge(vectors[others], targets[others], weight[others], np.zeros(others.sum()), penalty=1.0)
    assert predicted[fold == 1] == pytest.approx(again.predict(vectors[fold == 1]), abs=1e-3)


def test_sparse_and_dense_vectors_are_fitted_alike() -> None:
    """More rows than are made dense at a time."""
    vectors, targets, weight = rows(0, 2500, 6)
    vectors[np.abs(vectors) < 0.5] = 0.0
    fold = np.arange(2500) % 2

    dense, of_dense = fit_ridge(vectors, targets, weight, fold, penalty=1.0)
    thin, of_thin = fit_ridge(sparse.csr_array(vectors), targets, weight, fold, penalty=1.0)

    assert thin.weights == pytest.approx(dense.weights)
    assert of_thin == pytest.approx(of_dense)
