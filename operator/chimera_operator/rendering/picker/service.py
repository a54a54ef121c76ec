"""What others reach the picker by, and what it is told."""

import json
from collections.abc import Mapping
from typing import Any

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.encryption import Encryption
from chimera_operator.rendering.kinds import CONFIG_MAP, SERVICE
from chimera_operator.rendering.manifest import PICKER, Manifest, new, selector
from chimera_operator.rendering.picker import names
from chimera_operator.rendering.picker.names import picker_name

_ENCRYPTED = "http2"
"""HTTP/2 over TLS, as GIE's own manifests call it; of `kubernetes.io/h2c` the last letter would not be true."""


def config_map(pool: HeterogeneousModelPool, config: Mapping[str, Any]) -> Manifest:
    """Return what the picker is told, and follows while it runs."""
    text = json.dumps(config, indent=2) + "\n"
    return new(pool, CONFIG_MAP, picker_name(pool), component=PICKER, data={names.CONFIG_KEY: text})


def service(pool: HeterogeneousModelPool, *, tls: Encryption) -> Manifest:
    """Return where gateways, Prometheus and applications find the picker.

    Args:
        pool: The pool.
        tls: How ext_proc is served.
    """
    secured = "kubernetes.io/h2c" if tls == "Plaintext" else _ENCRYPTED
    spec = {
        "selector": selector(pool, PICKER),
        "ports": [
            _port(names.EXT_PROC_PORT, names.EXT_PROC, secured),
            _port(names.MANAGEMENT_PORT, names.MANAGEMENT, "https" if pool.spec.picker.management.tls else "http"),
            _port(names.FEEDBACK_PORT, names.FEEDBACK, secured),
        ],
    }
    return new(pool, SERVICE, picker_name(pool), component=PICKER, spec=spec)


def _port(name: str, number: int, protocol: str) -> Manifest:
    return {"name": name, "port": number, "targetPort": name, "appProtocol": protocol}
