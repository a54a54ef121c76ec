"""The arithmetic of the bench of pickers."""

import pytest

from chimera_bench.load.figures import Spread, quantile, ratio, text


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.51, 3.0), (0.95, 4.0), (1.0, 4.0)])
def test_quantile_is_the_smallest_value_that_suffices(share: float, expected: float) -> None:
    """Of four values each stands for a quarter."""
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_quantile_of_nothing_is_nothing() -> None:
    """A measurement in which nobody was answered has figures all the same."""
    assert quantile([], 0.5) == 0.0


def test_spread_is_median_least_and_most() -> None:
    """Of two rounds the median lies in the middle; other units scale all three."""
    assert Spread.of([3.0, 1.0]) == Spread(middle=2.0, low=1.0, high=3.0)
    assert Spread.of([3.0, 1.0]).scaled(10) == Spread(middle=20.0, low=10.0, high=30.0)


@pytest.mark.parametrize(("base", "expected"), [(4.0, 0.5), (0.0, None), (-1.0, None)])
def test_ratio_needs_a_base(base: float, expected: float | None) -> None:
    """Latency beyond the floor's may be nothing, or less for noise: nothing is held against that."""
    assert ratio(2.0, base) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (1234.5, "1234"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (-12.34, "-12.3")],
)
def test_numbers_show_three_digits(value: float, expected: str) -> None:
    """More would pretend to be known."""
    assert text(value) == expected
