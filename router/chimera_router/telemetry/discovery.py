"""What discovery does, in numbers."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class DiscoveryMetrics:
    """Counts of the watches at the Kubernetes API server, by the plural of what is watched."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._relists = Counter(
            "chimera_discovery_relists", "Lists read again after the first", ["resource"], registry=registry
        )
        self._errors = Counter(
            "chimera_discovery_errors",
            "Lists and watches that came to nothing",
            ["resource", "reason"],
            registry=registry,
        )

    def relisted(self, resource: str) -> None:
        """Count a list that was read again."""
        self._relists.labels(resource).inc()

    def failed(self, resource: str, failure: str) -> None:
        """Count a list or watch that came to nothing."""
        self._errors.labels(resource, failure).inc()


class DiscoveryCollector(Collector):
    """Gauges of what was found.

    Args:
        found: Returns the seconds since it was known to be so, and how many ports of pods are in each state.
    """

    def __init__(self, found: Callable[[], tuple[float, Iterable[tuple[str, int]]]]) -> None:
        self._found = found

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a gauge."""
        seconds, counts = self._found()
        age = GaugeMetricFamily("chimera_discovery_age_seconds", "Since the endpoints were confirmed", value=seconds)
        ports = GaugeMetricFamily("chimera_discovery_endpoints", "Ports of pods by what they are", labels=["state"])
        for state, count in counts:
            ports.add_metric([state], count)
        return [age, ports]
