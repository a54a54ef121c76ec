import numpy as np
import pytest

from chimera_training.evaluate import confidence_figures, length_figures
from chimera_training.examples import Outcomes


def outcomes(success: list[float], model: list[int] | None = None) -> Outcomes:
    count = len(success)
    return Outcomes(
        task=np.arange(count), model=np.array(model or [0] * count, dtype=np.int64), success=np.array(success)
    )


def test_perfect_ranking_has_area_one() -> None:
    """Every right answer above every wrong one."""
    figures = confidence_figures("sums", outcomes([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.8, 0.9]))

    assert figures.auc == 1.0
    assert figures.tasks == figures.outcomes == 4


def test_area_is_inside_a_model() -> None:
    """Knowing which model is better earns nothing: here only that is known."""
    figures = confidence_figures("sums", outcomes([0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1]), np.array([0.2, 0.2, 0.8, 0.8]))

    assert figures.auc == 0.5


def test_a_model_that_is_always_right_has_no_area() -> None:
    """There is nothing to rank."""
    assert confidence_figures("sums", outcomes([1.0, 1.0]), np.array([0.5, 0.9])).auc is None


def test_brier_stands_beside_that_of_each_models_own_rate() -> None:
    """The constant predictor knows every model's success rate, but no task."""
    figures = confidence_figures("sums", outcomes([0.0, 1.0, 1.0, 1.0], [0, 0, 1, 1]), np.array([0.0, 1.0, 1.0, 1.0]))

    assert figures.brier == 0.0
    assert figures.brier_constant == pytest.approx((0.25 + 0.25) / 4)
    assert figures.calibration_error == 0.0


def test_length_figures_count_tokens() -> None:
    """Errors are of the median, coverage of the high quantile."""
    truth, median = np.array([10.0, 20.0, 40.0, 80.0]), np.array([12.0, 18.0, 40.0, 60.0])

    figures = length_figures("sums", "remaining", truth, median, high=np.array([10.0, 19.0, 50.0, 90.0]))

    assert figures.spearman == 1.0
    assert figures.kendall == 1.0
    assert figures.mean_error == pytest.approx((2 + 2 + 0 + 20) / 4)
    assert figures.mean_tokens == pytest.approx(37.5)
    assert figures.coverage == 0.75


def test_ranks_of_what_never_varies_are_unknown() -> None:
    """A constant prediction or truth has no rank correlation, and none is written."""
    constant = length_figures("sums", "stage", np.array([5.0, 5.0]), np.array([1.0, 2.0]))

    assert constant.spearman is None
    assert constant.kendall is None
    assert constant.coverage is None
