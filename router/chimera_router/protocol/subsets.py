"""Which endpoints a gateway's hint allows."""

from collections.abc import Iterable


def allowed(hint: Iterable[str], addresses: Iterable[str]) -> frozenset[str]:
    """Return the addresses that a hint names, each as `ip:port`, or by its `ip` alone for all of its ports.

    Args:
        hint: As the gateway wrote it: IPv6 with a port in brackets, without one with or without them.
        addresses: Of the endpoints, `ip:port`, IPv6 in brackets.
    """
    named = frozenset(hint)
    return frozenset(address for address in addresses if address in named or not named.isdisjoint(_hosts(address)))


def _hosts(address: str) -> tuple[str, str]:
    host = address.rpartition(":")[0]
    return host, host.strip("[]")
