"""What sharing workflows with other pickers does, in numbers."""

from collections.abc import Callable, Iterable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_WAIT = (0.0001, 0.00025, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.1)  # seconds


class Outcome(StrEnum):
    """What became of a look-up: `AWAY` did not wait, `LATE` waited in vain."""

    FOUND = "found"
    MISSED = "missed"
    LATE = "late"
    AWAY = "away"


class SharingMetrics:
    """Counts look-ups."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("chimera_shared_workflows_up", "Whether the server answers in time", registry=registry)
        self.told = Counter("chimera_shared_workflows_told", "Changes sent to the server", registry=registry)
        self._lookups = Counter("chimera_shared_lookups", "By what became of them", ["outcome"], registry=registry)
        self._seconds = Histogram("chimera_shared_lookup_seconds", "Waited", buckets=_WAIT, registry=registry)

    def looked_up(self, outcome: Outcome, seconds: float) -> None:
        """Count a look-up that a request waited for so long."""
        self._lookups.labels(outcome).inc()
        if outcome is not Outcome.AWAY:
            self._seconds.observe(seconds)


class OutboxCollector(Collector):
    """Gauges of what other pickers have not been told.

    Args:
        waiting: Returns the workflows that wait, and those given up so far.
    """

    def __init__(self, waiting: Callable[[], tuple[int, int]]) -> None:
        self._waiting = waiting

    def collect(self) -> Iterable[Metric]:
        """Return one family a number."""
        waiting, dropped = self._waiting()
        return [
            GaugeMetricFamily("chimera_shared_workflows_untold", "Changes that wait for the server", value=waiting),
            CounterMetricFamily("chimera_shared_workflows_dropped", "Changes given up", value=dropped),
        ]
