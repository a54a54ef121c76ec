"""Counters and histograms that one event loop owns, shown to Prometheus when somebody looks.

The same surface as prometheus_client's own, without its locks, clocks and checks: of those a request pays dozens, in
all a third of what deciding about it costs.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_NO_LABELS: tuple[str, ...] = ()


class Count:
    """One counter, or gauge."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count up."""
        self.value += amount

    def dec(self, amount: float = 1.0) -> None:
        """Count down, as only a gauge does."""
        self.value -= amount


class Distribution:
    """One histogram.

    Args:
        bounds: Upper bounds of its buckets, sorted; one without a bound comes after them.
    """

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many values were at most as large as each bound."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


Child = TypeVar("Child", Count, Distribution)


class Family(Collector, Generic[Child]):
    """Children by the values of their labels. Without labels it has one child, which is there from the start.

    Args:
        name: As Prometheus shows it, without suffix.
        text: What is counted.
        labels: Their names.
        registry: Where it is shown.
        child: Makes one.
    """

    def __init__(
        self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry, child: Callable[[], Child]
    ) -> None:
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._child: Callable[[], Child] = child
        self._children: dict[tuple[object, ...], Child] = {}
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: object) -> Child:
        """Return the child of these values."""
        found = self._children.get(values)
        if found is None:
            found = self._children[values] = self._child()
        return found

    def children(self) -> Iterable[tuple[tuple[str, ...], Child]]:
        """Return the children by the texts of their values."""
        return [(tuple(map(str, values)), child) for values, child in self._children.items()]

    def describe(self) -> list[Metric]:
        """Return the family without its values, for the registry to keep names apart."""
        return self.collect()

    def collect(self) -> list[Metric]:
        """Return the family as Prometheus shows it."""
        raise NotImplementedError


class Counter(Family[Count]):
    """Counts that only grow."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = _NO_LABELS, *, registry: CollectorRegistry
    ) -> None:
        super().__init__(name, text, labels, registry, Count)

    def inc(self, amount: float = 1.0) -> None:
        """Count up the one child."""
        self.labels().inc(amount)

    def collect(self) -> list[Metric]:
        """Return the family as Prometheus shows it."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self.children():
            family.add_metric(values, child.value)
        return [family]


class Gauge(Family[Count]):
    """A number that goes up and down."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = _NO_LABELS, *, registry: CollectorRegistry
    ) -> None:
        super().__init__(name, text, labels, registry, Count)

    def inc(self, amount: float = 1.0) -> None:
        """Move the one child up."""
        self.labels().inc(amount)

    def dec(self, amount: float = 1.0) -> None:
        """Move the one child down."""
        self.labels().dec(amount)

    def collect(self) -> list[Metric]:
        """Return the family as Prometheus shows it."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self.children():
            family.add_metric(values, child.value)
        return [family]


class Histogram(Family[Distribution]):
    """How many values were how large."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str] = _NO_LABELS,
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        super().__init__(name, text, labels, registry, lambda: Distribution(buckets))

    def observe(self, value: float) -> None:
        """Count a value of the one child."""
        self.labels().observe(value)

    def collect(self) -> list[Metric]:
        """Return the family as Prometheus shows it."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self.children():
            family.add_metric(values, buckets=child.buckets(), sum_value=child.total)
        return [family]
