import numpy as np
import pytest

from chimera_training.bundle import ConfidenceFigures, LengthFigures
from chimera_training.evaluate import (
    areas_by_model,
    confidence_figures,
    confidence_replicates,
    length_figures,
    length_replicates,
)
from chimera_training.examples import Outcomes
from chimera_training.features import Floats
from chimera_training.resampling import task_weights


def outcomes(success: list[float], model: list[int] | None = None) -> Outcomes:
    count = len(success)
    return Outcomes(
        task=np.arange(count), model=np.array(model or [0] * count, dtype=np.int64), success=np.array(success)
    )


def confidence(answers: Outcomes, *fits: list[float]) -> ConfidenceFigures:
    weights = task_weights(len(answers.task))
    return confidence_figures("sums", [confidence_replicates(answers, np.array(fit), weights) for fit in fits])


def length(target: str, truth: Floats, median: Floats, high: Floats | None = None) -> LengthFigures:
    calls = np.arange(len(truth))
    covered = None if high is None else truth <= high
    return length_figures(
        "sums", target, [length_replicates(calls, truth, median, task_weights(len(truth)), covered=covered)]
    )


def test_perfect_ranking_has_area_one() -> None:
    """Every right answer above every wrong one, whichever tasks are drawn."""
    figures = confidence(outcomes([0.0, 0.0, 1.0, 1.0]), [0.1, 0.2, 0.8, 0.9])

    assert figures.auc is not None
    assert (figures.auc.value, *figures.auc.interval) == (1.0, 1.0, 1.0)
    assert figures.tasks == figures.outcomes == 4


def test_area_is_inside_a_model() -> None:
    """Knowing which model is better earns nothing: here only that is known."""
    figures = confidence(outcomes([0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1]), [0.2, 0.2, 0.8, 0.8])

    assert figures.auc is not None
    assert figures.auc.value == 0.5


def test_a_model_that_is_always_right_has_no_area() -> None:
    """There is nothing to rank."""
    answers = outcomes([1.0, 1.0])

    assert confidence(answers, [0.5, 0.9]).auc is None
    assert areas_by_model(answers, np.array([0.5, 0.9])) == {0: None}


def test_brier_stands_beside_that_of_each_models_own_rate() -> None:
    """The constant predictor knows every model's success rate, but no task."""
    figures = confidence(outcomes([0.0, 1.0, 1.0, 1.0], [0, 0, 1, 1]), [0.0, 1.0, 1.0, 1.0])

    assert figures.brier.value == 0.0
    assert figures.brier_constant == pytest.approx((0.25 + 0.25) / 4)
    assert figures.calibration_error == 0.0


def test_figures_are_means_over_fits() -> None:
    """One fit ranks perfectly, the other one the wrong way round; the interval spans what a draw of fits may give."""
    figures = confidence(outcomes([0.0, 0.0, 1.0, 1.0]), [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0])

    assert figures.auc is not None
    assert (figures.auc.value, figures.brier.value, figures.calibration_error) == (0.5, 0.5, 0.5)
    assert (figures.auc.interval, figures.brier.interval) == ((0.0, 1.0), (0.0, 1.0))


def test_length_figures_count_tokens() -> None:
    """Errors are of the median, coverage of the high quantile."""
    truth, median = np.array([10.0, 20.0, 40.0, 80.0]), np.array([12.0, 18.0, 40.0, 60.0])

    figures = length("remaining", truth, median, high=np.array([10.0, 19.0, 50.0, 90.0]))

    assert figures.spearman is not None
    assert figures.coverage is not None
    assert (figures.spearman.value, figures.kendall) == (1.0, 1.0)
    assert figures.mean_error.value == pytest.approx((2 + 2 + 0 + 20) / 4)
    assert figures.mean_error.low < figures.mean_error.value < figures.mean_error.high
    assert figures.mean_tokens == pytest.approx(37.5)
    assert figures.coverage.value == 0.75


def test_ranks_of_what_never_varies_are_unknown() -> None:
    """A constant prediction or truth has no rank correlation, and none is written."""
    constant = length("stage", np.array([5.0, 5.0]), np.array([1.0, 2.0]))

    assert constant.spearman is None
    assert constant.kendall is None
    assert constant.coverage is None
