"""Images that were built, kept in the user's cache by the digest of everything that went into them."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chimera_cluster import cache
from chimera_cluster.images.builder import Builder, Order

ARCHIVE = "image.tar"

# Builds of an image that stay: some working trees beside each other, and the one before.
_KEPT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an image is made from.

    Attributes:
        name: Of the image, with its tag.
        dockerfile: Its text.
        files: What it copies, by the path in the context.
        arguments: Of the Dockerfile.
        labels: Of the image.
        epoch: Seconds since 1970 that image and files are dated by.
        base: Archive of the image that it stands on, where that is one of ours.
    """

    name: str
    dockerfile: str
    files: Mapping[str, Path]
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    base: Path | None = None

    def digest(self) -> str:
        """Return what tells this source from every other."""
        said = (self.name, self.dockerfile, sorted(self.arguments.items()), sorted(self.labels.items()), self.epoch)
        digest = hashlib.sha256(repr((*said, self.base)).encode())
        for place, path in sorted(self.files.items()):
            digest.update(f"{place} {_digest(path)}\n".encode())
        return digest.hexdigest()


def archive(source: Source, builder: Builder) -> Path:
    """Return the archive of an image, built now unless it is there.

    Raises:
        ClusterError: The builder failed.
    """

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="chimera-image-") as folder:
            context = Path(folder)
            _fill(context, source)
            order = Order(
                name=source.name,
                context=context,
                arguments=source.arguments,
                labels=source.labels,
                epoch=source.epoch,
                base=source.base,
            )
            builder.build(order, target / ARCHIVE)

    folder, name = cache.HOME / "images", source.name.rpartition("/")[2].partition(":")[0]
    made = cache.once(folder / f"{name}-{source.digest()[:16]}", make)
    made.touch()  # in use
    cache.keep_newest(folder, name, count=_KEPT)
    return made / ARCHIVE


def _fill(context: Path, source: Source) -> None:
    (context / "Dockerfile").write_text(source.dockerfile)
    for place, path in source.files.items():
        (context / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, context / place)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
