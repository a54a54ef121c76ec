"""The state of the operator, read at each scrape."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chimera_operator.telemetry.census import Census


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Collector):
    """Gauges of one operator.

    Attributes:
        leads: Whether it is the leader.
        due: How many pools wait to be looked at.
        silence: Seconds since each watch last heard or asked anything.
        census: Counts pools and models.
    """

    leads: Callable[[], bool]
    due: Callable[[], int]
    silence: Callable[[], Mapping[str, float]]
    census: Census

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a gauge."""
        yield GaugeMetricFamily("chimera_operator_leader", "Whether this one leads", value=float(self.leads()))
        yield GaugeMetricFamily("chimera_operator_queue_depth", "Pools that wait to be looked at", value=self.due())
        yield _family("chimera_operator_watch_age_seconds", "Since a watch heard anything", "resource", self.silence())
        yield _family("chimera_pools", "Pools by the condition Ready", "ready", self.census.pools())
        yield _family("chimera_models", "Models by phase", "phase", self.census.models())


def _family(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
