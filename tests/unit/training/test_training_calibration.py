import numpy as np
import pytest

from chimera_training.calibration import SHIFT_SHRINKAGE, calibration_error, conformal_shift, grouped_shifts


def test_the_shift_is_the_finite_sample_quantile_of_what_is_missing() -> None:
    """Of nine residuals the ceil(10 * 0.8) = 8th smallest."""
    truth = np.arange(1.0, 10.0)

    assert conformal_shift(truth, np.zeros(9), coverage=0.8) == 8.0


def test_a_quantile_that_covers_too_much_is_moved_down() -> None:
    """The shift has a sign."""
    assert conformal_shift(np.zeros(99), np.full(99, 5.0), coverage=0.9) == -5.0


def test_with_few_truths_the_largest_is_taken() -> None:
    """Rank n + 1 does not exist; the best that can be promised is the maximum."""
    assert conformal_shift(np.array([1.0, 3.0, 2.0]), np.zeros(3), coverage=0.9) == 3.0


def test_a_group_of_many_tasks_has_its_own_shift() -> None:
    """Two applications that miss by 0 and by 1 are each covered, not only their mixture."""
    group = np.repeat([0, 1], 1000)
    missing = group.astype(np.float64)

    shifts = grouped_shifts(missing, group, np.arange(2000), groups=2, coverage=0.9)

    assert shifts == pytest.approx([0.0, 1.0], abs=0.01)


def test_a_group_of_few_tasks_is_shrunk_to_all() -> None:
    """By tasks, not by calls: hundred calls of one task say what one task says; no call at all says nothing."""
    group = np.repeat([0, 1], [1000, 100])
    task = np.concatenate([np.arange(1000), np.full(100, 1000)])
    missing = 6.0 * group

    shifts = grouped_shifts(missing, group, task, groups=3, coverage=0.9)

    common = conformal_shift(missing, np.zeros(1100), coverage=0.9)
    assert shifts[1] == pytest.approx(common + (6.0 - common) / (1 + SHIFT_SHRINKAGE))
    assert shifts[2] == common


def test_confidences_that_come_true_have_no_error() -> None:
    """Seven of ten right at confidence .7."""
    success = np.repeat([1.0, 0.0], [7, 3])

    assert calibration_error(np.full(10, 0.7), success) == pytest.approx(0.0)


def test_overconfidence_is_the_gap() -> None:
    """Always sure, half right: off by a half."""
    assert calibration_error(np.ones(10), np.tile([0.0, 1.0], 5)) == pytest.approx(0.5)


def test_errors_of_opposite_sign_do_not_cancel_across_bins() -> None:
    """Too low here and too high there are two errors."""
    confidence, success = np.repeat([0.2, 0.8], 10), np.repeat([1.0, 0.0], 10)

    assert calibration_error(confidence, success) == pytest.approx(0.8)
