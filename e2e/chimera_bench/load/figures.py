"""The arithmetic of the bench: quantiles of samples; medians, spreads and ratios of rounds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

QUANTILES = (0.5, 0.95, 0.99)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that so large a share does not pass; nothing of no values is 0."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over several rounds.

    Attributes:
        middle: Its median.
        low: The least.
        high: The most.
    """

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of the rounds' values, of which there is at least one."""
        found = list(values)
        return cls(middle=statistics.median(found), low=min(found), high=max(found))

    def scaled(self, factor: float) -> "Spread":
        """Return it in another unit."""
        return Spread(middle=self.middle * factor, low=self.low * factor, high=self.high * factor)


def ratio(value: float, base: float) -> float | None:
    """Return how many times the base a value is; None where the base is nothing, or less for noise."""
    return value / base if base > 0 else None


def text(value: float) -> str:
    """Return a number with three digits that count."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"
