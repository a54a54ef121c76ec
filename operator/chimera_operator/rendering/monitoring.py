"""How Prometheus finds the pods of a pool."""

from collections.abc import Iterator

from chimera_operator.api.names import MODEL_LABEL, POOL_LABEL, pool_object_name
from chimera_operator.api.picker import Management
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.gateway.routes import ports
from chimera_operator.rendering.kinds import POD_MONITOR, SERVICE_MONITOR
from chimera_operator.rendering.manifest import ENGINE, PICKER, Manifest, new, selector
from chimera_operator.rendering.models.ports import port_name
from chimera_operator.rendering.picker.names import MANAGEMENT_PORT, picker_name

PROMETHEUS_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - where every pod has its own
"""What Prometheus shows the picker where callers are known by Kubernetes: its own account's token, which needs the role
chimera-metrics-reader. Only a ServiceMonitor can name it, so the picker has one and no PodMonitor."""


def monitors(pool: HeterogeneousModelPool) -> Iterator[Manifest]:
    """Yield what makes Prometheus scrape engines and picker."""
    if pool.spec.monitoring.pod_monitor == "Auto":
        yield _engines(pool)
        yield _picker(pool)


def _engines(pool: HeterogeneousModelPool) -> Manifest:
    interval = f"{pool.spec.monitoring.interval_seconds}s"
    spec = {
        "selector": {"matchLabels": selector(pool, ENGINE)},
        "podTargetLabels": [POOL_LABEL, MODEL_LABEL],
        "podMetricsEndpoints": [
            {"port": port_name(rank), "path": "/metrics", "interval": interval} for rank, _ in enumerate(ports(pool))
        ],
    }
    name = pool_object_name(pool.metadata.name, "engines")
    return new(pool, POD_MONITOR, name, component=ENGINE, more_labels=pool.spec.monitoring.labels, spec=spec)


def _picker(pool: HeterogeneousModelPool) -> Manifest:
    endpoint = {
        "port": MANAGEMENT_PORT,
        "path": "/metrics",
        "interval": f"{pool.spec.monitoring.interval_seconds}s",
        **_transport(pool.spec.picker.management),
        **_credentials(pool.spec.picker.management),
    }
    spec = {
        "selector": {"matchLabels": selector(pool, PICKER)},
        "targetLabels": [POOL_LABEL],
        "endpoints": [endpoint],
    }
    more = pool.spec.monitoring.labels
    return new(pool, SERVICE_MONITOR, picker_name(pool), component=PICKER, more_labels=more, spec=spec)


def _transport(management: Management) -> Manifest:
    # The certificate is of the picker's Service, and often signed by nobody; who calls is known by the token.
    return {"scheme": "https", "tlsConfig": {"insecureSkipVerify": True}} if management.tls else {"scheme": "http"}


def _credentials(management: Management) -> Manifest:
    if management.open_metrics or management.auth == "None":
        return {}
    if ref := management.token_secret_ref:
        return {"authorization": {"type": "Bearer", "credentials": {"name": ref.name, "key": ref.key}}}
    return {"bearerTokenFile": PROMETHEUS_TOKEN}
