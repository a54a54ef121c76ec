"""What asking the engines for their load comes to, in numbers."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from chimera_router.engines.types import Outcome

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)  # up to the scraper's patience


class ScrapeMetrics:
    """Counts questions to engines by what came of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._scrapes = Counter(
            "chimera_engine_scrapes", "Questions to engines by what came of them", ["result"], registry=registry
        )
        self._seconds = Histogram(
            "chimera_engine_scrape_seconds", "Question to answer", buckets=_SECONDS, registry=registry
        )

    def asked(self, outcome: Outcome, seconds: float) -> None:
        """Count a question that took so many seconds."""
        self._scrapes.labels(outcome).inc()
        self._seconds.observe(seconds)
