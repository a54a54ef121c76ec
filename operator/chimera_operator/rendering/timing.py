"""How long pods get for what: to begin, to be found alive, to end."""

from math import ceil
from typing import Any

from chimera_operator.rendering.manifest import Manifest

PRE_STOP_SECONDS = 15
"""Seconds from the deletion of a pod to its SIGTERM, in which pickers and gateways learn that it is going: an engine
that drains refuses new requests or ends them with `abort`. KServe's figure; this picker learns it within
milliseconds."""

EXIT_SECONDS = 10
"""Seconds beyond the drain that a process gets to end, before it is killed."""

PLACE_SECONDS = 600
"""Seconds beyond the start that a Deployment gets before its progress is called off: images of engines have 10 GB."""

_ENGINE_STARTUP = 5  # seconds between looks at an engine that loads


def drain_lifecycle() -> Manifest:
    """Return what a container does before it is told to end: nothing, for a while."""
    return {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}


def grace_seconds(drain_seconds: int) -> int:
    """Return what a pod gets from its deletion until it is killed.

    Args:
        drain_seconds: What its requests in flight get of it.
    """
    return PRE_STOP_SECONDS + drain_seconds + EXIT_SECONDS


def engine_probes(*, path: str, port: str, startup_seconds: int) -> Manifest:
    """Return the probes of an engine, all on one page, which answers once the weights are loaded.

    Args:
        path: Of the page.
        port: Name of its port.
        startup_seconds: What loading may take.
    """
    page = {"httpGet": {"path": path, "port": port}}
    # Under saturation the page takes more than a second; a probe that times out must not take an engine out.
    return {
        "startupProbe": {
            **page,
            **_every(_ENGINE_STARTUP, timeout=5, failures=ceil(startup_seconds / _ENGINE_STARTUP)),
        },
        "readinessProbe": {**page, **_every(2, timeout=5, failures=3)},
        # Two minutes: killing an engine that only was slow costs the load of its weights.
        "livenessProbe": {**page, **_every(10, timeout=10, failures=12)},
    }


def picker_probes(*, port: str, scheme: str) -> Manifest:
    """Return the probes of a picker.

    Args:
        port: Name of its management port.
        scheme: HTTP or HTTPS.
    """

    def page(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": port, "scheme": scheme}}

    return {
        # Five minutes: it serves nothing before it has read its ConfigMap, and waits for an API server that is away.
        "startupProbe": {**page("/livez"), **_every(2, timeout=2, failures=150)},
        "readinessProbe": {**page("/readyz"), **_every(2, timeout=2, failures=3)},
        "livenessProbe": {**page("/livez"), **_every(10, timeout=5, failures=6)},
    }


def _every(period: int, *, timeout: int, failures: int) -> dict[str, int]:
    return {"periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}
