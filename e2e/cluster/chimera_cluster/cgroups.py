"""The cgroups that the node's containers are in: one tree in each hierarchy."""

import os
from pathlib import Path

from chimera_cluster.errors import ClusterError
from chimera_cluster.place import CGROUP

ROOT = Path("/sys/fs/cgroup")


def check() -> None:
    """See that the tree can be made.

    Raises:
        ClusterError: The hierarchies cannot be written.
    """
    try:
        make()
        remove()
    except OSError as error:
        raise ClusterError(f"no cgroups can be made: {error.strerror}") from None


def make() -> None:
    """Make the tree's roots; the kubelet does not start without them."""
    for hierarchy in _hierarchies():
        (hierarchy / CGROUP).mkdir(exist_ok=True)


def remove() -> None:
    """Remove the trees; nothing runs in them any more."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
            Path(folder).rmdir()


def _hierarchies() -> list[Path]:
    """Return the roots: one in version 2, else one for each controller; links to these are left out."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [path for path in ROOT.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]
