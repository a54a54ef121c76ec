"""The wheels that images are made of, on this machine: an image's build needs no network."""

import hashlib
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from chimera_cluster import cache
from chimera_cluster.commands import output
from chimera_cluster.images.parts import ROOT, Release

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
_PYTHON = f"{platform.python_implementation()}-{platform.python_version()}-{platform.machine()}"
_KEPT = 4  # sets of wheels of a lock that stay, as of images


def locked(lock: Path) -> Iterable[Path]:
    """Return the wheels that a lock names, for this Python and this kind of machine, had now unless they are there.

    Raises:
        ClusterError: One cannot be had, or is not what the lock says.
    """

    def make(target: Path) -> None:
        exact = ["--require-hashes", "--only-binary=:all:", "--no-deps"]
        output([*_PIP, "download", *exact, f"--dest={target}", f"--requirement={lock}"])

    folder = cache.HOME / "wheels"
    digest = hashlib.sha256(_PYTHON.encode() + lock.read_bytes()).hexdigest()
    made = cache.once(folder / f"{lock.stem}-{digest[:16]}", make)
    made.touch()  # in use
    cache.keep_newest(folder, lock.stem, count=_KEPT)
    return sorted(made.iterdir())


def own(release: Release, target: Path) -> Path:
    """Build the wheel of this tree into a folder.

    Raises:
        ClusterError: It cannot be built.
    """
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={target}", str(ROOT)]
    output(build, environment={"SOURCE_DATE_EPOCH": str(release.epoch)})
    (wheel,) = target.glob("*.whl")
    return wheel
