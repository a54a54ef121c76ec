"""How what runs outside of pods gets at a cluster: the one of this machine, or any other that KUBECONFIG names."""

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chimera_cluster import namespace
from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.place import Place

# Says in a process's environment that it runs in the network of this machine's cluster, and names that one's folder.
INSIDE = "CHIMERA_CLUSTER"

# A command line that gives an image to the nodes of another cluster; {archive} stands for the file.
LOAD = "CHIMERA_LOAD_IMAGE"

_FORWARDED = 15.0  # seconds until a forwarded port answers


class Network(Protocol):
    """What clusters differ in."""

    def load(self, archive: Path) -> None:
        """Give an image to the nodes.

        Raises:
            ClusterError: They do not take it.
        """

    def reach(self, space: str, service: str, port: int) -> AbstractContextManager[str]:
        """Give HOST:PORT by which a service can be reached from here.

        Raises:
            ClusterError: It cannot be.
        """

    def restart(self, component: str) -> None:
        """Kill one of the node's programs, which is started again.

        Raises:
            ClusterError: That cannot be done to this cluster.
        """


@dataclass(frozen=True, slots=True)
class Inside:
    """The network that this process is in itself.

    Attributes:
        place: Of the cluster.
    """

    place: Place

    def load(self, archive: Path) -> None:
        """Import it into containerd."""
        output(["ctr", "images", "import", "--local", str(archive)])

    @contextmanager
    def reach(self, space: str, service: str, port: int) -> Iterator[str]:
        """Give the service's own address."""
        address = output(["kubectl", "--namespace", space, "get", "service", service, "-o=jsonpath={.spec.clusterIP}"])
        yield f"{address}:{port}"

    def restart(self, component: str) -> None:
        """Kill it by its name."""
        namespace.kill(self.place, component)


@dataclass(frozen=True, slots=True)
class Outside:
    """A cluster of which only the API server can be reached.

    Attributes:
        loading: The command line that loads images. Empty: whoever set up the cluster did that.
    """

    loading: str

    def load(self, archive: Path) -> None:
        """Run what the user says."""
        if self.loading:
            output([word.format(archive=archive) for word in shlex.split(self.loading)])

    @contextmanager
    def reach(self, space: str, service: str, port: int) -> Iterator[str]:
        """Forward a port of this machine to the service."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            local = free.getsockname()[1]
        command = ["kubectl", "--namespace", space, "port-forward", f"service/{service}", f"{local}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as forwarding:
            try:
                _await_port(local, forwarding)
                yield f"127.0.0.1:{local}"
            finally:
                forwarding.terminate()

    def restart(self, component: str) -> None:
        """Refuse."""
        raise ClusterError(f"only the cluster of this machine can lose its {component}")


def find() -> Network | None:
    """Return how this process gets at its cluster; None where there is none."""
    if inside := os.environ.get(INSIDE):
        return Inside(Place(Path(inside)))
    return Outside(os.environ.get(LOAD, "")) if os.environ.get("KUBECONFIG") else None


def _await_port(port: int, forwarding: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _FORWARDED
    while forwarding.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise ClusterError("kubectl does not forward the port")
