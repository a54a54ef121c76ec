"""The namespaces that a cluster lives in: made by unshare(1), entered by nsenter(1), ended by killing one process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.place import Place

_END = 30.0  # seconds for the kernel to end all that is in there; 2 to 7 on a busy machine


_UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def check() -> None:
    """See that namespaces can be made, and mounts in them.

    Raises:
        ClusterError: The kernel, or what this machine is itself in, refuses.
    """
    output([*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"])


def start(place: Place, environment: Mapping[str, str]) -> None:
    """Start a cluster's first process in network, mount and process namespaces of its own."""
    node = [sys.executable, "-m", "chimera_cluster.node", str(place.folder)]
    with (place.logs / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [*_UNSHARE, *node],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives whoever started it
        )
    place.process.write_text(f"{process.pid} {_born(process.pid)}")


def keeper(place: Place) -> int | None:
    """Return the process that keeps the cluster, or None where there is no cluster."""
    try:
        pid, born = place.process.read_text().split()
    except FileNotFoundError:
        return None
    return int(pid) if _born(int(pid)) == born else None


def end(place: Place) -> None:
    """Kill the cluster, if there is one, and wait until nothing of it runs.

    Raises:
        ClusterError: Something still runs after half a minute.
    """
    pid = keeper(place)
    if pid is None:
        return
    first = _children(pid)
    for each in first or [pid]:
        os.kill(each, signal.SIGKILL)
    deadline = time.monotonic() + _END
    while any(_born(each) for each in (pid, *first)):
        if time.monotonic() > deadline:
            raise ClusterError(f"processes of the cluster still run after {_END:.0f} s: child of {pid}")
        time.sleep(0.05)


def kill(place: Place, program: str) -> None:
    """Kill one of the node's programs; the cluster's first process starts it again.

    Raises:
        ClusterError: It does not run.
    """
    found = [pid for first in _children(_kept(place)) for pid in _children(first) if _name(pid) == program]
    if not found:
        raise ClusterError(f"{program} does not run")
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def inside(place: Place, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command in the cluster's network.

    Raises:
        ClusterError: There is no cluster; so what is meant for one never goes out to another network.
    """
    return ["nsenter", f"--net=/proc/{_kept(place)}/ns/net", "--", *command]


def _kept(place: Place) -> int:
    pid = keeper(place)
    if pid is None:
        raise ClusterError("there is no cluster: make cluster")
    return pid


def _born(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where it has ended. It tells a number's new owner."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "XZ" else fields[19]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
