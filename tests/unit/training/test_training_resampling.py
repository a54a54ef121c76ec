import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from chimera_training.resampling import certain, estimate, mean, mean_area, rank_correlation, task_weights

answers = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0.0, 1.0]), st.sampled_from([0.1, 0.2, 0.5, 0.9])),
    min_size=1,
    max_size=30,
)
pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


@settings(max_examples=50)
@given(rows=answers, copies=st.lists(st.integers(1, 3), min_size=30, max_size=30))
def test_a_weight_counts_like_so_many_copies(rows: list[tuple[int, float, float]], copies: list[int]) -> None:
    """Areas inside models, their mean, and the mean of values are those of the repeated rows."""
    model, success, predicted = map(np.array, zip(*rows, strict=True))
    counts = np.array(copies[: len(rows)])
    model_of, right, chance = (np.repeat(column, counts) for column in (model, success, predicted))
    own = [model_of == number for number in np.unique(model)]
    areas = [roc_auc_score(right[rows], chance[rows]) for rows in own if 0 < right[rows].mean() < 1]

    weights = counts[None, :].astype(np.float64)
    (area,) = mean_area(weights, np.arange(len(rows)), model, success, predicted)
    (average,) = mean(weights, np.arange(len(rows)), predicted)

    assert area == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)
    assert average == pytest.approx(chance.mean())


@settings(max_examples=50)
@given(values=pairs)
def test_rank_correlation_is_spearmans(values: list[tuple[int, int]]) -> None:
    """Equal values share a rank; what never varies has no correlation."""
    first, second = np.array(values, dtype=np.float64).T
    varied = np.ptp(first) > 0 and np.ptp(second) > 0

    (found,) = rank_correlation(np.ones((1, len(values))), np.arange(len(values)), first, second)

    assert found == pytest.approx(stats.spearmanr(first, second).statistic if varied else np.nan, nan_ok=True)


def test_answers_of_a_task_are_drawn_together() -> None:
    """A task's weight is that of all of its rows."""
    weights = np.array([[1.0, 3.0]])

    assert mean(weights, np.array([0, 1, 1]), np.array([7.0, 0.0, 0.0])) == pytest.approx([1.0])


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    """About 1.96 standard errors to both sides."""
    values = np.random.default_rng(1).normal(size=2000)
    replicates = mean(task_weights(2000, resamples=1000), np.arange(2000), values)

    found = certain([replicates])

    assert found.value == pytest.approx(values.mean(), abs=1e-4)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.1)


def test_fits_that_differ_widen_the_interval() -> None:
    """Five fits that scatter say less than five that agree."""
    alike, apart = (
        certain([np.array([centre, *([centre] * 200)]) for centre in centres])
        for centres in ([0.7] * 5, [0.5, 0.6, 0.7, 0.8, 0.9])
    )

    assert (alike.value, alike.interval) == (0.7, (0.7, 0.7))
    assert apart.value == 0.7
    assert apart.low < 0.62
    assert apart.high > 0.78


def test_fits_without_the_figure_are_left_out() -> None:
    """And where none has it, there is none."""
    nothing, something = np.full(3, np.nan), np.array([0.5, 0.4, 0.6])

    assert certain([nothing, something]).value == 0.5
    assert estimate([nothing]) is None
    with pytest.raises(ValueError, match="one fit at least"):
        certain([nothing])


def test_resamples_are_the_same_at_every_call() -> None:
    """Figures can be compared from bundle to bundle; the first row is no resample."""
    assert (task_weights(5) == task_weights(5)).all()
    assert (task_weights(5)[0] == 1).all()
