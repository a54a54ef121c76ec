"""The Envoy that everything is measured behind: the one that `chimera up` renders, with a listener for the floor."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chimera_operator.local.plan import Command
from chimera_operator.local.pool import envoy_program
from chimera_operator.rendering.envoy import LOOPBACK, bootstrap

CHUNK_BYTES = 32 * 1024
"""Read ahead on a connection: what the charts of other pickers configure, so that large bodies reach each in the pieces
that it was built for. `chimera up` takes a megabyte, in which the same body is fewer messages."""

_FLOOR = "floor"


def measured(
    *, port: int, floor_port: int, picker_port: int, engines: Sequence[int], accounting: str
) -> dict[str, Any]:
    """Return a bootstrap with one listener that asks a picker, and one that takes the engines in turn.

    Args:
        port: Where the picker is asked.
        floor_port: Where nobody is.
        picker_port: Where it serves.
        engines: Ports of the engines.
        accounting: How much of answers it is shown; see `bootstrap`.
    """
    document = bootstrap(port=port, picker_port=picker_port, accounting=accounting)
    resources = document["static_resources"]
    (listener,) = resources["listeners"]
    listener["per_connection_buffer_limit_bytes"] = CHUNK_BYTES
    resources["listeners"].append(_floor(listener, floor_port))
    resources["clusters"].append(cluster(_FLOOR, engines))
    return document


def connection_manager(listener: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a listener's connection manager."""
    config: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return config


def cluster(name: str, ports: Sequence[int], **changes: Any) -> dict[str, Any]:
    """Return a cluster of ports of this machine."""
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    limits = {"max_connections": 65_535, "max_pending_requests": 65_535, "max_requests": 65_535}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": assignment,
        **changes,
    }


def address(port: int) -> dict[str, Any]:
    """Return a port of this machine."""
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def envoy(config: Path, ready_url: str) -> Command:
    """Return what starts Envoy, with one worker, on a bootstrap; it serves once there is an answer at a URL."""
    argv = (
        *(envoy_program(), "--config-path", str(config), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "warning"),
    )
    return Command(name="envoy", argv=argv, ready_url=ready_url)


def _floor(listener: dict[str, Any], port: int) -> dict[str, Any]:
    floor = copy.deepcopy(listener)
    floor |= {"name": _FLOOR, "address": address(port)}
    manager = connection_manager(floor)
    manager.pop("access_log", None)
    manager["http_filters"] = manager["http_filters"][-1:]
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = _FLOOR
    return floor
