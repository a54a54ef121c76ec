"""What outsiders met: calls refused, and how long the certificate is good for."""

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


def refused_calls(registry: CollectorRegistry) -> Counter:
    """Return the counter of management calls that were not let in, by verdict."""
    return Counter("chimera_management_refused", "Management calls not let in", ["reason"], registry=registry)


class CertificateCollector(Collector):
    """Gauge of the certificate that is served.

    Args:
        ends: Returns the end of its validity.
    """

    def __init__(self, ends: Callable[[], datetime]) -> None:
        self._ends = ends

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the one family."""
        name = "chimera_certificate_expiry_timestamp_seconds"
        return [GaugeMetricFamily(name, "End of the certificate's validity", value=self._ends().timestamp())]
