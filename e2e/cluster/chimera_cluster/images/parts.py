"""Chimera's own images: each of its own Dockerfile and only the wheels that its extra locks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chimera_cluster.images import base, names
from chimera_cluster.images.store import Source

ROOT = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of Chimera that has an image.

    Attributes:
        title: One line that says what it does.
        budget: Bytes that the image may have, unpacked.
    """

    title: str
    budget: int


PARTS: Mapping[str, Part] = {
    "router": Part(title="Chimera's endpoint picker", budget=350_000_000),
    "operator": Part(title="Chimera's operator", budget=250_000_000),
    "simulator": Part(title="Chimera's engine simulator", budget=350_000_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Which Chimera an image has.

    Attributes:
        version: Of the project.
        revision: Of the tree.
        epoch: Seconds since 1970 of that revision: equal trees make equal images.
    """

    version: str
    revision: str
    epoch: int


def labels(part: str, release: Release, base_name: str) -> dict[str, str]:
    """Return the annotations that the Open Container Initiative names."""
    said = {
        "title": f"chimera-{part}",
        "description": PARTS[part].title,
        "version": release.version,
        "revision": release.revision,
        "created": datetime.fromtimestamp(release.epoch, UTC).isoformat(),
        "licenses": "Apache-2.0",
        "base.name": base_name,
    }
    return {f"org.opencontainers.image.{key}": value for key, value in said.items()}


def source(part: str, release: Release, wheels: Iterable[Path], base_name: str, base_archive: Path | None) -> Source:
    """Return what a part's image is made from.

    Args:
        part: Its name.
        release: Which Chimera.
        wheels: Its own, those that its lock names, and pip's.
        base_name: Of the image that it stands on.
        base_archive: Where that one is, if it is ours.
    """
    package = ROOT / "images" / "chimera_image"
    files = {f"wheels/{path.name}": path for path in wheels}
    files |= {f"chimera_image/{path.name}": path for path in package.glob("*.py")}
    return Source(
        name=names.of_part(part, release.version),
        dockerfile=(ROOT / "images" / part / "Dockerfile").read_text(),
        files={**files, "requirements.lock": ROOT / "requirements" / f"{part}.lock"},
        arguments={"BASE": base_name, "PYTHON": base.python_version(), "VERSION": release.version},
        labels=labels(part, release, base_name),
        epoch=release.epoch,
        base=base_archive,
    )
