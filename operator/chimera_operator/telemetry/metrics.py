"""What the operator does, in numbers. Labels are kinds, verbs and phases, never the name of anything."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One operator's registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self._looks = Histogram(
            "chimera_operator_reconcile_seconds", "Looks at pools", ["outcome"], buckets=_SECONDS, registry=r
        )
        self._writes = Counter("chimera_operator_writes", "Objects written, and why", ["kind", "change"], registry=r)
        self._calls = Counter("chimera_operator_api_calls", "Calls to the API server", ["verb", "code"], registry=r)
        self._interruptions = Counter(
            "chimera_operator_watch_interruptions", "Watches that came to nothing", ["resource", "reason"], registry=r
        )

    def looked(self, outcome: str, seconds: float) -> None:
        """Count a look at a pool that took so many seconds."""
        self._looks.labels(outcome).observe(seconds)

    def wrote(self, kind: str, change: str) -> None:
        """Count an object that was written."""
        self._writes.labels(kind, change).inc()

    def called(self, verb: str, code: str) -> None:
        """Count a call to the API server."""
        self._calls.labels(verb, code).inc()

    def interrupted(self, resource: str, failure: str) -> None:
        """Count a watch that came to nothing."""
        self._interruptions.labels(resource, failure).inc()

    def watch(self, gauges: Collector) -> None:
        """Add gauges that are read at each scrape."""
        self.registry.register(gauges)

    def page(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)
