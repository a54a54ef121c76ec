"""What flow control does, in numbers: by outcome and class, never by tenant."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chimera_router.flowcontrol.types import Totals
from chimera_router.telemetry.instruments import Counter, Histogram

_WAIT = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)  # seconds


class FlowMetrics:
    """Counts requests that flow control let through, held or refused; `priority` is a class of the configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["outcome", "priority"]
        self._requests = Counter(
            "chimera_flow_control_requests", "Requests by what became of them", labels, registry=registry
        )
        self._wait = Histogram(
            "chimera_flow_control_wait_seconds",
            "Time in the hold queue, of requests that were in it",
            labels,
            buckets=_WAIT,
            registry=registry,
        )

    def ended(self, outcome: str, priority: int, *, waited: float | None = None) -> None:
        """Count a request. `waited` is in seconds; None where it never waited."""
        self._requests.labels(outcome, priority).inc()
        if waited is not None:
            self._wait.labels(outcome, priority).observe(waited)


class QueueCollector(Collector):
    """Gauges of the hold queue.

    Args:
        totals: Returns what waits, by class.
    """

    def __init__(self, totals: Callable[[], Mapping[int, Totals]]) -> None:
        self._totals = totals

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a gauge."""
        size = GaugeMetricFamily("chimera_flow_control_queue_size", "Requests that wait", labels=["priority"])
        octets = GaugeMetricFamily("chimera_flow_control_queue_bytes", "Bytes of their bodies", labels=["priority"])
        tokens = GaugeMetricFamily("chimera_flow_control_queue_tokens", "Predicted tokens", labels=["priority"])
        for priority, totals in self._totals().items():
            size.add_metric([str(priority)], totals.requests)
            octets.add_metric([str(priority)], totals.size)
            tokens.add_metric([str(priority)], totals.tokens)
        return [size, octets, tokens]
