"""The wheels that images are made of, on this machine: an image's build needs no network."""

import sys
from pathlib import Path

from chimera_cluster.commands import output
from chimera_cluster.images.parts import ROOT, Release

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def download(lock: Path, target: Path) -> None:
    """Put the wheels that a lock names into a folder, for this Python and this kind of machine.

    Raises:
        ClusterError: One cannot be had, or is not what the lock says.
    """
    exact = ["--require-hashes", "--only-binary=:all:", "--no-deps"]
    output([*_PIP, "download", *exact, f"--dest={target}", f"--requirement={lock}"])


def own(release: Release, target: Path) -> None:
    """Put the wheel of this tree into a folder.

    Raises:
        ClusterError: It cannot be built.
    """
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={target}", str(ROOT)]
    output(build, environment={"SOURCE_DATE_EPOCH": str(release.epoch)})
