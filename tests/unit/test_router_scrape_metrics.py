import pytest
from directors import director
from prometheus_client import CollectorRegistry

from chimera_router.engines.types import Outcome
from chimera_router.scheduling.types import EngineMetrics
from chimera_router.telemetry.scrapes import ScrapeMetrics


def test_scrapes_are_counted_by_what_came_of_them() -> None:
    """Each outcome is a label; the time of all goes into one histogram."""
    registry = CollectorRegistry()
    metrics = ScrapeMetrics(registry)

    metrics.asked(Outcome.BELIEVED, 0.004)
    metrics.asked(Outcome.BELIEVED, 0.004)
    metrics.asked(Outcome.UNREACHABLE, 3.0)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("chimera_engine_scrapes_total", result="believed") == 2
    assert value("chimera_engine_scrapes_total", result="unreachable") == 1
    assert value("chimera_engine_scrape_seconds_count") == 3
    assert value("chimera_engine_scrape_seconds_sum") == pytest.approx(3.008)


def test_age_is_that_of_what_is_believed() -> None:
    """An engine that is unknown has no age."""
    made = director()
    made.datastore.answered("127.0.0.1:1", EngineMetrics(running=0, waiting=0, kv_usage=0.0, scraped_at=97.5))

    def age(model: str) -> float | None:
        labels = {"endpoint": f"{model}-0", "model": model}
        return made.metrics.registry.get_sample_value("chimera_engine_metrics_age_seconds", labels)

    assert (age("small"), age("large")) == (2.5, None)
