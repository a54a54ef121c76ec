"""A cluster from nothing to ready, and back to nothing."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from chimera_cluster import cgroups, isolation, namespace, tools
from chimera_cluster.errors import ClusterError
from chimera_cluster.furnishing import furnish
from chimera_cluster.images import builder, static, store
from chimera_cluster.network import INSIDE
from chimera_cluster.place import NODE, Place
from chimera_cluster.programs.catalog import NODE as NODE_PROGRAMS
from chimera_cluster.programs.catalog import PROGRAMS

_MANIFESTS = Path(__file__).parent / "manifests"
_READY = 120.0  # seconds from the start to a ready node; 25 on a quiet machine


def up(place: Place) -> None:
    """Start a cluster and wait until its node and its DNS are ready; where one runs, leave it.

    Raises:
        ClusterError: Something is missing or does not become ready.
    """
    tools.require_root()
    if namespace.keeper(place) is not None:
        return
    tools.require(tools.NODE_TOOLS)
    PROGRAMS.build_all(NODE_PROGRAMS)
    found = builder.find()
    archives = [store.archive(static.source(name), found) for name in ("pause", "coredns")]
    down(place)  # what a machine that lost power left
    furnish(place)
    isolation.make_folders(place.folder)
    cgroups.make()
    namespace.start(place, environment(place))
    _await_ready(place, archives)


def check(place: Place) -> None:
    """See that this machine can have a cluster, and install what it needs of the distribution.

    Raises:
        ClusterError: It cannot; what for.
    """
    tools.require_root()
    if namespace.keeper(place) is not None:
        return
    tools.require({**tools.NODE_TOOLS, **tools.BASE_TOOLS, **tools.BUILDER_TOOLS})
    namespace.check()
    cgroups.check()


def down(place: Place) -> None:
    """End a cluster, if there is one, and remove all that it left.

    Raises:
        ClusterError: Something of it cannot be ended.
    """
    tools.require_root()
    namespace.end(place)
    cgroups.remove()
    isolation.remove_folders(place.folder)
    shutil.rmtree(place.folder, ignore_errors=True)


def environment(place: Place) -> dict[str, str]:
    """Return what commands of a cluster find in their environment: its programs, its API server, its containers."""
    folders = [str(PROGRAMS.folder(name)) for name in PROGRAMS.recipes if PROGRAMS.folder(name).exists()]
    return {
        **os.environ,
        "PATH": os.pathsep.join([*folders, tools.PATH]),
        INSIDE: str(place.folder),
        "KUBECONFIG": str(place.kubeconfig),
        "CONTAINERD_ADDRESS": str(place.containerd),
        "CONTAINERD_NAMESPACE": "k8s.io",
    }


def run(place: Place, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the cluster's network, as its administrator, and return what it said."""
    return subprocess.run(
        namespace.inside(place, command), env=environment(place), capture_output=True, text=True, check=False
    )


def load(place: Place, archive: Path) -> None:
    """Give the node an image.

    Raises:
        ClusterError: The node does not take it.
    """
    done = run(place, "ctr", "images", "import", "--local", str(archive))
    if done.returncode:
        raise ClusterError(f"the node does not take {archive.parent.name}: {done.stderr.strip()}")


def _await_ready(place: Place, archives: Sequence[Path]) -> None:
    deadline = time.monotonic() + _READY

    def until(what: str, *command: str) -> None:
        while run(place, *command).returncode:
            if time.monotonic() > deadline or namespace.keeper(place) is None:
                raise ClusterError(f"{what} is not ready after {_READY:.0f} s; its log is in {place.logs}")
            time.sleep(0.2)
        sys.stdout.write(f"{time.monotonic() - deadline + _READY:5.1f} s  {what}\n")

    until("the API server", "kubectl", "get", "--raw=/readyz")
    until("containerd", "ctr", "version")
    for archive in archives:
        load(place, archive)
    until("DNS in the API", "kubectl", "apply", "--server-side", f"--filename={_MANIFESTS}/coredns.yaml")
    until("the node", "kubectl", "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s")
    until("DNS", "kubectl", "--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=1s")
