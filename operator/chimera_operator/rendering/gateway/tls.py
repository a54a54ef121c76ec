"""What gateways must know to speak TLS with the picker."""

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.kinds import BACKEND_TLS_POLICY, DESTINATION_RULE, SERVICE
from chimera_operator.rendering.manifest import ROUTE, Manifest, new
from chimera_operator.rendering.picker.names import EXT_PROC, EXT_PROC_PORT, picker_host, picker_name


def verified(pool: HeterogeneousModelPool, secret: str) -> Manifest:
    """Return what makes gateways verify the picker's certificate.

    Args:
        pool: The pool.
        secret: Secret with the certificate and, as `ca.crt`, the authority that signed it.
    """
    spec = {
        "targetRefs": [{"group": "", "kind": SERVICE.name, "name": picker_name(pool), "sectionName": EXT_PROC_PORT}],
        "validation": {
            "caCertificateRefs": [{"group": "", "kind": "Secret", "name": secret}],
            "hostname": picker_host(pool),
        },
    }
    return new(pool, BACKEND_TLS_POLICY, picker_name(pool), component=ROUTE, spec=spec)


def unverified(pool: HeterogeneousModelPool) -> Manifest:
    """Return what makes Istio speak TLS with a picker whose certificate nobody signed; else it speaks plain text."""
    port = {"port": {"number": EXT_PROC}, "tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}
    # The short name, as only Istio knows the cluster's domain.
    spec = {"host": picker_name(pool), "trafficPolicy": {"portLevelSettings": [port]}}
    return new(pool, DESTINATION_RULE, picker_name(pool), component=ROUTE, spec=spec)
