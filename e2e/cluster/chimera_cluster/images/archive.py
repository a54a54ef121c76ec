"""Image archives, as docker, podman and buildah save them: what is inside, and how much."""

import gzip
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chimera_cluster.errors import ClusterError


def uncompressed_bytes(archive: Path) -> int:
    """Return the bytes of an image's files as a node unpacks them, a file that a later layer replaces twice."""
    with tarfile.open(archive) as outer:
        return sum(member.size for layer in _layers(outer) for member in layer)


def extract(archive: Path, path: str) -> bytes:
    """Return a file of an image.

    Raises:
        ClusterError: The image has no such file.
    """
    with tarfile.open(archive) as outer:
        for layer in _layers(outer):
            for member in layer:
                if member.name.removeprefix("./") == path.lstrip("/") and (file := layer.extractfile(member)):
                    return file.read()
    raise ClusterError(f"{archive.name} has no file {path}")


def _layers(outer: tarfile.TarFile) -> Iterator[tarfile.TarFile]:
    """Yield the layers, the last one first."""
    for name in reversed(_layer_names(outer)):
        with _unpacked(outer, name) as file, tarfile.open(fileobj=file, mode="r|") as layer:
            yield layer


def _layer_names(outer: tarfile.TarFile) -> list[str]:
    if "manifest.json" in outer.getnames():  # docker's form, which podman writes too
        return list(_json(outer, "manifest.json")[0]["Layers"])
    manifest = _json(outer, _blob(_json(outer, "index.json")["manifests"][0]))
    return [_blob(layer) for layer in manifest["layers"]]


def _blob(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _json(outer: tarfile.TarFile, name: str) -> Any:
    return json.loads(_member(outer, name).read())


@contextmanager
def _unpacked(outer: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    file = _member(outer, name)
    compressed = file.read(2) == b"\x1f\x8b"  # gzip's mark
    file.seek(0)
    if not compressed:
        yield file
        return
    with gzip.open(file) as plain:
        yield plain  # type: ignore[misc] # a reader of bytes in all but name


def _member(outer: tarfile.TarFile, name: str) -> IO[bytes]:
    file = outer.extractfile(name)
    if file is None:
        raise ClusterError(f"the archive has no {name}")
    return file
