"""The URL under which clients reach the pool."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from chimera_operator.api.network import ParentRef
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.objects import items, name_of, part
from chimera_operator.planning.status.exposure import parent_key, route_parents
from chimera_operator.rendering.facts import ParentKey
from chimera_operator.rendering.manifest import Manifest

SCHEMES = {"HTTP": ("http", 80), "HTTPS": ("https", 443)}
"""Protocols of listeners, with the port that a URL need not name."""


def url(pool: HeterogeneousModelPool, observed: Observed) -> str:
    """Return where clients send requests; empty where there is no Gateway, or its address is not known yet.

    The first of the pool's Gateways that has an address tells it: by the pool's first host name, else the listener's,
    else the address itself.
    """
    return next(_urls(pool, observed), "")


def _urls(pool: HeterogeneousModelPool, observed: Observed) -> Iterator[str]:
    found = {ParentKey(part(each, "metadata").get("namespace", ""), name_of(each)): each for each in observed.parents}
    for parent in route_parents(pool):
        gateway = found.get(parent_key(pool, parent), {})
        for listener in _listeners(gateway, parent):
            if host := _host(pool, gateway, listener):
                scheme, usual = SCHEMES[listener["protocol"]]
                port = "" if listener.get("port") == usual else f":{listener.get('port')}"
                yield f"{scheme}://{host}{port}{_prefix(pool)}"


def _listeners(gateway: Manifest, parent: ParentRef) -> list[Mapping[str, Any]]:
    """Return the listeners that carry the route, those with TLS first."""
    named = [
        each
        for each in items(gateway, "spec", "listeners")
        if each.get("protocol") in SCHEMES and parent.section_name in {None, each.get("name")}
    ]
    return sorted(named, key=lambda each: each["protocol"] != "HTTPS")


def _host(pool: HeterogeneousModelPool, gateway: Manifest, listener: Mapping[str, Any]) -> str:
    address = next((str(each["value"]) for each in items(gateway, "status", "addresses") if each.get("value")), "")
    if not address:
        return ""
    hostnames = (*(pool.spec.gateway.hostnames if pool.spec.gateway else ()), listener.get("hostname") or "*")
    return next((name for name in hostnames if not name.startswith("*")), _bracketed(address))


def _bracketed(address: str) -> str:
    try:
        return f"[{address}]" if ip_address(address).version == 6 else address
    except ValueError:
        return address  # a host name


def _prefix(pool: HeterogeneousModelPool) -> str:
    return pool.spec.gateway.path_prefix.rstrip("/") if pool.spec.gateway else ""
