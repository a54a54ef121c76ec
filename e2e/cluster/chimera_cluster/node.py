"""The first process of a cluster's namespaces: `python -m chimera_cluster.node FOLDER`.

It sets up the network, starts the node's programs and starts again whichever ends, as static pods are. When it is
killed the kernel ends every process in its namespace, and with the namespaces go mounts, interfaces and rules.
"""

import os
import ssl
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from chimera_cluster import components, isolation
from chimera_cluster.commands import output
from chimera_cluster.components import Component
from chimera_cluster.place import API_SERVER, NODE_ADDRESS, SERVICE_RANGE, Place

# Seconds before a program that ended is started again, so that one that cannot start leaves the machine some air.
_PAUSE = 1.0

_NETWORK = (
    "ip link set lo up",
    f"ip address add {NODE_ADDRESS}/32 dev lo",
    # Lets the node itself open services' addresses; kube-proxy rewrites them.
    f"ip route add {SERVICE_RANGE} dev lo src {NODE_ADDRESS}",
    "sysctl --quiet --write net.ipv4.ip_forward=1",  # of this namespace alone
)


def main(place: Place) -> None:
    """Keep the node until killed."""
    isolation.isolate(place.folder)
    for command in _NETWORK:
        output(command.split())
    running = _start_all(components.foundation(place), place.logs)
    _await_api_server(place.certificates / "ca.crt")
    running |= _start_all(components.rest(place), place.logs)
    while True:
        pid, status = os.wait()  # orphans of containers come here too
        if (component := running.pop(pid, None)) is not None:
            sys.stderr.write(f"{component.name} ended with status {status}\n")
            time.sleep(_PAUSE)
            running |= _start_all((component,), place.logs)


def _start_all(programs: Sequence[Component], logs: Path) -> dict[int, Component]:
    return {_start(component, logs / f"{component.name}.log"): component for component in programs}


def _start(component: Component, log: Path) -> int:
    """Start a program that writes to its log, and return its process id."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    into_log = [(os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
    argv = [component.name, *component.arguments]
    return os.posix_spawnp(component.name, argv, os.environ, file_actions=into_log)


def _await_api_server(authority: Path) -> None:
    """Wait as long as it takes: whoever waits for this cluster has a deadline."""
    trust = ssl.create_default_context(cafile=str(authority))
    while True:
        try:
            with urllib.request.urlopen(f"{API_SERVER}/readyz", context=trust, timeout=5):  # noqa: S310 - a constant
                return
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    main(Place(Path(sys.argv[1])))
