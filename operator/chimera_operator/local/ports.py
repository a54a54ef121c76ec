"""Ports on this machine's loopback interface."""

import random
import socket

from chimera_operator.local.errors import LocalError, PortInUse
from chimera_operator.rendering.envoy import LOOPBACK

BELOW_EPHEMERAL = range(10_000, 32_768)
"""Linux gives outgoing connections ports from 32768 up, so none of these is taken before its owner binds it."""


def free_ports(count: int) -> list[int]:
    """Return distinct ports that nobody listens on."""
    candidates = random.SystemRandom().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL))
    free = [port for port, _ in zip(filter(is_free, candidates), range(count), strict=False)]
    if len(free) < count:
        raise LocalError(f"{count} free ports are needed and {len(free)} were found")
    return free


def claim(port: int) -> int:
    """Return the port, or any free one for 0.

    Raises:
        PortInUse: Somebody else listens there.
    """
    if port == 0:
        return free_ports(1)[0]
    if not is_free(port):
        raise PortInUse(port)
    return port


def is_free(port: int) -> bool:
    """Return whether a server could bind the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections in TIME_WAIT do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
