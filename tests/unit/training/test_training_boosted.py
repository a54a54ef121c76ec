import numpy as np
import pytest

from chimera_training.boosted import BOOSTED, QUANTILE, REMAINING, STAGE, fit_boosted
from chimera_training.ensemble import HIGH, MEDIAN, Sample
from chimera_training.features import GRID


def sample() -> Sample:
    """Short calls, and a quarter of long ones that no feature tells apart from them; none exactly alike."""
    generator = np.random.default_rng(0)
    rows = np.round(generator.random((800, 2)) * GRID) / GRID
    return Sample(rows=rows.astype(np.float32), target=np.tile([1.0, 1.0, 1.0, 6.0], 200) + generator.random(800))


def test_each_quantile_has_an_ensemble_of_its_size() -> None:
    """The median of what remains has the largest."""
    for fit, median in ((BOOSTED.stage, STAGE), (BOOSTED.remaining, REMAINING)):
        fitted = fit(sample(), (MEDIAN, HIGH))

        assert fitted[MEDIAN].booster.num_trees() == median.trees
        assert fitted[HIGH].booster.num_trees() == QUANTILE.trees
    assert REMAINING.trees > STAGE.trees > QUANTILE.trees


def test_weights_move_the_median_only() -> None:
    """Long calls that weigh ten times as much are what the median follows; the high quantile stays."""
    calls = sample()
    weighed = Sample(rows=calls.rows, target=calls.target, weight=np.where(calls.target > 5, 10.0, 1.0))

    plain, favoured = (fit_boosted(each, (MEDIAN, HIGH), median=STAGE) for each in (calls, weighed))

    assert plain[MEDIAN].predict(calls.rows).mean() < 3
    assert favoured[MEDIAN].predict(calls.rows).mean() > 5
    assert favoured[HIGH].predict(calls.rows) == pytest.approx(plain[HIGH].predict(calls.rows))


def test_chosen_calls_keep_their_weights() -> None:
    """Rows, targets and weights stay together; a sample without weights has none."""
    calls = sample()
    weighed = Sample(rows=calls.rows, target=calls.target, weight=np.arange(800.0))
    chosen = np.arange(800) % 4 == 3

    assert calls.chosen(chosen).weight is None
    some = weighed.chosen(chosen)
    assert (some.rows == calls.rows[chosen]).all()
    assert (some.target >= 6.0).all()
    assert some.weight is not None
    assert some.weight.tolist() == list(range(3, 800, 4))
