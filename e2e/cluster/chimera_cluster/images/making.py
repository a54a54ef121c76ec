"""Makes images, and lays their archives where everybody finds them: those of Chimera and those that a cluster needs."""

import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import base, builder, envoy, istio_proxy, parts, static, store, wheels
from chimera_cluster.images.archive import extract, uncompressed_bytes
from chimera_cluster.images.parts import PARTS, ROOT, Release
from chimera_cluster.programs.catalog import PROGRAMS

NAMES = (*PARTS, *static.IMAGES, envoy.NAME, istio_proxy.NAME)
BILL = "app/sbom.cdx.json"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What images are made with.

    Attributes:
        builder: The program.
        release: Which Chimera.
        foundation: Name of the image that Python images stand on.
        archive: Where that one is. None: not one of ours.
    """

    builder: builder.Builder
    release: Release
    foundation: str
    archive: Path | None


def workshop() -> Workshop:
    """Return what this machine makes images with; BASE names another foundation than ours.

    Raises:
        ClusterError: There is no builder, or no foundation.
    """
    found = builder.find()
    if named := os.environ.get("BASE"):
        return Workshop(found, release(), named, None)
    return Workshop(found, release(), base.PYTHON, store.archive(base.source(), found))


def release() -> Release:
    """Return which Chimera this tree is, dated by its newest commit."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    revision, epoch = output(["git", "log", "-1", "--format=%H %ct"], folder=ROOT).split()
    return Release(version=version, revision=revision, epoch=int(epoch))


def make(names: Iterable[str], target: Path) -> None:
    """Make images into a folder: of each its archive and, of Chimera's own, its bill of materials.

    A line for each says how large it is.

    Args:
        names: Of the images.
        target: The folder.

    Raises:
        ClusterError: An image cannot be made, or is larger than its budget.
    """
    target.mkdir(parents=True, exist_ok=True)
    shop = workshop()
    with tempfile.TemporaryDirectory(prefix="chimera-wheel-") as folder:
        for name in names:
            started = time.monotonic()
            made = _made(name, shop, Path(folder))
            link = target / f"{name}.tar"
            link.unlink(missing_ok=True)
            link.symlink_to(made)
            if name in PARTS:
                (target / f"{name}.cdx.json").write_bytes(extract(made, BILL))
            _weigh(name, made, time.monotonic() - started)


def _made(name: str, shop: Workshop, folder: Path) -> Path:
    if name in PARTS:
        source = parts.source(name, shop.release, _wheels(name, shop.release, folder), shop.foundation, shop.archive)
        return store.archive(source, shop.builder)
    if name == envoy.NAME:
        return store.archive(envoy.source(shop.foundation, shop.archive), shop.builder)
    if name == istio_proxy.NAME:
        PROGRAMS.build_all([istio_proxy.PROGRAM])
        return store.archive(istio_proxy.source(shop.foundation, shop.archive), shop.builder)
    PROGRAMS.build_all([static.IMAGES[name]])
    return store.archive(static.source(name), shop.builder)


def _wheels(name: str, release: Release, folder: Path) -> list[Path]:
    """Return all wheels of a part; that of this tree, the same in all of them, is built in the folder once."""
    own = next(folder.glob("*.whl"), None) or wheels.own(release, folder)
    locks = (ROOT / "requirements" / f"{name}.lock", ROOT / "images" / "pip.lock")
    return [own, *(wheel for lock in locks for wheel in wheels.locked(lock))]


def _weigh(name: str, archive: Path, seconds: float) -> None:
    size = uncompressed_bytes(archive)
    sys.stdout.write(f"{name:14}{seconds:6.1f} s {size / 1e6:5.0f} MB  {archive}\n")
    if name in PARTS and size > PARTS[name].budget:
        raise ClusterError(f"the image of {name} is larger than its {PARTS[name].budget / 1e6:.0f} MB")
