"""Images are made anew when anything that goes in has changed, by any builder, and can be looked into."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chimera_cluster import cache
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import base, builder, parts, static, store
from chimera_cluster.images.archive import extract, uncompressed_bytes
from chimera_cluster.images.builder import Buildah, Engine, Order
from chimera_cluster.images.parts import PARTS, Release
from chimera_cluster.images.store import Source
from chimera_cluster.programs.catalog import PROGRAMS

RELEASE = Release(version="1.2.3", revision="abc", epoch=1_700_000_000)
Files = Mapping[str, bytes]


def layer(files: Files) -> bytes:
    """Return a layer of an image."""
    return tarball(files)


def tarball(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def by_docker(layers: list[bytes]) -> bytes:
    """Return an archive as docker saves it."""
    blobs = {f"{number}/layer.tar": content for number, content in enumerate(layers)}
    return tarball({"manifest.json": json.dumps([{"Layers": list(blobs)}]).encode(), **blobs})


def by_buildah(layers: list[bytes]) -> bytes:
    """Return an archive as buildah pushes it, its layers compressed."""
    blobs: dict[str, bytes] = {}

    def put(content: bytes) -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}"}

    manifest = put(json.dumps({"layers": [put(gzip.compress(content)) for content in layers]}).encode())
    return tarball({"index.json": json.dumps({"manifests": [manifest]}).encode(), **blobs})


@pytest.fixture(params=[by_docker, by_buildah])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[list[bytes]], Path]:
    """Save layers as an image of one of the two forms."""

    def saved(layers: list[bytes]) -> Path:
        path = tmp_path / "image.tar"
        path.write_bytes(request.param(layers))
        return path

    return saved


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Return what an image of one file is made from."""
    (tmp_path / "program").write_text("one")
    return Source(name="localhost/thing:1", dockerfile="FROM scratch", files={"bin/program": tmp_path / "program"})


class Noting:
    """A builder that notes what it found in the context."""

    def __init__(self) -> None:
        self.orders: list[tuple[Order, dict[str, str]]] = []

    def build(self, order: Order, archive: Path) -> None:
        paths = (path for path in order.context.rglob("*") if path.is_file())
        self.orders.append((order, {str(path.relative_to(order.context)): path.read_text() for path in paths}))
        archive.write_text("image")


def program(folder: Path, name: str, *, status: int = 0) -> Path:
    """Put a program on the PATH that notes its arguments, and return where."""
    notes = folder / f"{name}.notes"
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "${{SOURCE_DATE_EPOCH:-}} $*" >> {notes}\nexit {status}\n')
    path.chmod(0o755)
    return notes


def test_size_is_that_of_all_files(save: Callable[[list[bytes]], Path]) -> None:
    """An image weighs what its layers' files do once they are unpacked."""
    archive = save([layer({"a": b"1" * 1000, "b": b"2" * 500}), layer({"c": b"3" * 30})])

    assert uncompressed_bytes(archive) == 1530


def test_file_is_read_from_the_layer_that_counts(save: Callable[[list[bytes]], Path]) -> None:
    """A later layer's file stands for that of an earlier one, and one that no layer has is missed."""
    archive = save([layer({"app/bill": b"old", "app/other": b"kept"}), layer({"./app/bill": b"new"})])

    assert extract(archive, "app/bill") == b"new"
    assert extract(archive, "/app/other") == b"kept"
    with pytest.raises(ClusterError, match="has no file app/absent"):
        extract(archive, "app/absent")


def test_image_is_built_once(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder finds Dockerfile and files in their places; the second time nobody asks it."""
    monkeypatch.setattr(cache, "HOME", tmp_path / "cache")
    noting = Noting()

    first, second = store.archive(source, noting), store.archive(source, noting)

    ((order, context),) = noting.orders
    assert (first, first.read_text()) == (second, "image")
    assert order.name == "localhost/thing:1"
    assert context == {"Dockerfile": "FROM scratch", "bin/program": "one"}


def test_whatever_goes_in_makes_another_image(source: Source, tmp_path: Path) -> None:
    """A change of name, Dockerfile, arguments, labels, date, base or of a file's content is noticed."""
    changed = [
        replace(source, name="localhost/thing:2"),
        replace(source, dockerfile="FROM other"),
        replace(source, arguments={"BASE": "x"}),
        replace(source, labels={"a": "b"}),
        replace(source, epoch=1),
        replace(source, base=tmp_path),
    ]
    digests = {each.digest() for each in (source, *changed)}
    (tmp_path / "program").write_text("two")

    assert len({*digests, source.digest()}) == 8


def test_builds_that_nobody_uses_go(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an image's builds the four that were asked for last stay, and all of an image whose name begins alike."""
    monkeypatch.setattr(cache, "HOME", tmp_path / "cache")
    other = store.archive(replace(source, name="localhost/thing-else:1"), Noting())
    archives = []
    for epoch in range(6):
        archives.append(store.archive(replace(source, epoch=epoch), Noting()))
        os.utime(archives[-1].parent, (epoch, epoch))

    assert [path.exists() for path in archives] == [False, False, True, True, True, True]
    assert other.exists()


def test_engine_builds_and_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker and podman load the base, build with arguments, labels and date, and save into the archive."""
    notes = program(tmp_path, "podman")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    order = Order(
        name="thing:1", context=tmp_path, arguments={"BASE": "b"}, labels={"l": "v"}, epoch=5, base=Path("base.tar")
    )

    Engine("podman").build(order, Path("out.tar"))

    load, build, save = notes.read_text().splitlines()
    assert load.split() == ["load", "--input", "base.tar"]
    assert build.split() == ["5", "build", "--build-arg=BASE=b", "--label=l=v", "--tag=thing:1", str(tmp_path)]
    assert save.split() == ["save", "--output", "out.tar", "thing:1"]


def test_buildah_keeps_to_its_own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buildah needs no base where there is none, dates the image, and touches no store but this project's."""
    notes = program(tmp_path, "buildah")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    Buildah(tmp_path / "store").build(Order(name="thing:1", context=tmp_path, epoch=5), Path("out.tar"))

    lines = notes.read_text().splitlines()
    assert all(f"--root={tmp_path}/store/root" in line for line in lines)
    build, push, forget = (line.partition("overlay ")[2] for line in lines)
    assert build.startswith("build --timestamp=5")
    assert push.endswith("thing:1 oci-archive:out.tar:thing:1")
    assert forget == "rmi thing:1"


def test_builder_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is one error that names the program."""
    program(tmp_path, "buildah", status=3)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(ClusterError, match="buildah failed with 3"):
        Buildah(tmp_path).build(Order(name="thing:1", context=tmp_path), Path("out.tar"))


def test_engine_that_serves_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker command without its daemon is passed over; a podman that answers is taken."""
    program(tmp_path, "docker", status=1)
    program(tmp_path, "podman")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert builder.find() == Engine("podman")


def test_image_says_which_chimera_it_is() -> None:
    """An image carries title, version, revision and the date of that revision, as the OCI names them."""
    labels = parts.labels("router", RELEASE, "python:3.11-slim")

    named = {key.removeprefix("org.opencontainers.image."): value for key, value in labels.items()}
    assert named["title"] == "chimera-router"
    assert (named["version"], named["revision"]) == ("1.2.3", "abc")
    assert named["created"] == "2023-11-14T22:13:20+00:00"
    assert named["base.name"] == "python:3.11-slim"


@pytest.mark.parametrize("part", PARTS)
def test_part_is_made_of_its_own_lock(part: str, tmp_path: Path) -> None:
    """An image's context has its lock, the wheels that were downloaded and what installs them, and nothing else."""
    source = parts.source(part, RELEASE, [tmp_path / "some-1-py3-none-any.whl"], "base:1", None)

    assert source.name == f"localhost/chimera-{part}:1.2.3"
    assert source.files["requirements.lock"].name == f"{part}.lock"
    assert {name.partition("/")[0] for name in source.files} == {"requirements.lock", "wheels", "chimera_image"}
    assert source.arguments["BASE"] == "base:1"


@pytest.mark.parametrize("part", PARTS)
def test_part_runs_as_nobody(part: str) -> None:
    """Every Dockerfile ends as a numeric user that is not root, with an entry point that no shell starts."""
    lines = parts.source(part, RELEASE, [], "base:1", None).dockerfile.splitlines()

    assert "USER 65532:65532" in lines
    assert lines[-1].startswith('ENTRYPOINT ["python3", "-m", "chimera_')


def test_static_image_is_its_program() -> None:
    """An image of a program without libraries has nothing else in it."""
    source = static.source("echo")

    assert set(source.files) == {"echo"}
    assert source.dockerfile.startswith("FROM scratch\n")


def test_static_image_has_a_folder_for_what_passes() -> None:
    """Its user can write to /tmp: the folder is made as that user, who therefore owns it."""
    lines = static.source("envoy-gateway").dockerfile.splitlines()

    assert lines.index("WORKDIR /tmp") == lines.index("USER 65532:65532") + 1


def test_program_of_a_module_with_several_is_found() -> None:
    """An image is named as its program, wherever in the catalogue that is."""
    found = static.source("pilot-discovery").files["pilot-discovery"]

    assert found.parent == PROGRAMS.folder("istio")


def test_no_base_is_made_of_another_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Debian the error says which image to name instead."""
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "other"})

    with pytest.raises(ClusterError, match="BASE=python:"):
        base.source()
