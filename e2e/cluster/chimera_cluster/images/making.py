"""Makes images: those of Chimera, and those that only the cluster needs."""

import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path

from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import base, builder, parts, static, store, wheels
from chimera_cluster.images.archive import extract, uncompressed_bytes
from chimera_cluster.images.parts import PARTS, ROOT, Release
from chimera_cluster.programs.catalog import PROGRAMS

BILL = "sbom.cdx.json"


def release() -> Release:
    """Return which Chimera this tree is, dated by its newest commit."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    revision, epoch = output(["git", "log", "-1", "--format=%H %ct"], folder=ROOT).split()
    return Release(version=version, revision=revision, epoch=int(epoch))


def base_archive(build: builder.Builder) -> tuple[str, Path | None]:
    """Return the image that Python images stand on, and where it is; BASE names another one than ours.

    Raises:
        ClusterError: Ours cannot be made here.
    """
    if named := os.environ.get("BASE"):
        return named, None
    return base.PYTHON, store.archive(base.source(), build)


def make_parts(names: Iterable[str], target: Path) -> dict[str, Path]:
    """Make images of Chimera and return their archives by name; a line for each says how large it is.

    Args:
        names: Of the parts.
        target: Folder for their bills of materials.

    Raises:
        ClusterError: An image cannot be made, or is larger than its budget.
    """
    build, made = builder.find(), release()
    base_name, archive = base_archive(build)
    target.mkdir(parents=True, exist_ok=True)
    images = {}
    with tempfile.TemporaryDirectory(prefix="chimera-wheels-") as folder:
        wheels.own(made, Path(folder))
        (own,) = Path(folder).glob("*.whl")
        for name in names:
            started = time.monotonic()
            images[name] = _make(name, made, own, build, base_name, archive)
            (target / f"{name}.{BILL}").write_bytes(extract(images[name], f"app/{BILL}"))
            _weigh(name, images[name], time.monotonic() - started)
    return images


def make_static(image: str) -> Path:
    """Return the archive of one of the cluster's own images, built now unless it is there, program and all.

    Raises:
        ClusterError: It cannot be made.
    """
    PROGRAMS.build_all([static.IMAGES[image]])
    return store.archive(static.source(image), builder.find())


def _make(name: str, made: Release, own: Path, build: builder.Builder, base_name: str, archive: Path | None) -> Path:
    with tempfile.TemporaryDirectory(prefix="chimera-wheels-") as folder:
        for lock in (ROOT / "requirements" / f"{name}.lock", ROOT / "images" / "pip.lock"):
            wheels.download(lock, Path(folder))
        (Path(folder) / own.name).symlink_to(own)
        return store.archive(parts.source(name, made, Path(folder), base_name, archive), build)


def _weigh(name: str, archive: Path, seconds: float) -> None:
    size, budget = uncompressed_bytes(archive), PARTS[name].budget
    megabytes, compressed = size / 1e6, archive.stat().st_size / 1e6
    sys.stdout.write(f"{name:10} {seconds:5.1f} s  {megabytes:5.0f} MB, packed {compressed:4.0f} MB  {archive}\n")
    if size > budget:
        raise ClusterError(f"the image of {name} has {megabytes:.0f} MB, more than its {budget / 1e6:.0f}")
