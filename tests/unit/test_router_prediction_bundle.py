import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import default_bundle, read_bundle
from chimera_training.bundle import FORMAT_VERSION, GRAPHS, MANIFEST, TEXT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle(), tmp_path / "bundle"))


def _edit(bundle: Path, **changes: Any) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps(manifest | changes))


def _replace(bundle: Path, name: str, content: bytes) -> None:
    """Put another content in place of a graph, with its digest, so that only its content can be wrong."""
    (bundle / name).write_bytes(content)
    files = json.loads((bundle / MANIFEST).read_text())["files"]
    _edit(bundle, files=files | {name: hashlib.sha256(content).hexdigest()})


def test_the_default_bundle_is_read_whole() -> None:
    """Manifest and every graph."""
    bundle = read_bundle(default_bundle())

    assert bundle.manifest.format_version == FORMAT_VERSION
    assert set(bundle.graphs) == set(GRAPHS)


def test_the_expected_digest_lets_it_in(copy: Path) -> None:
    """Upper or lower case."""
    digest = hashlib.sha256((copy / MANIFEST).read_bytes()).hexdigest()

    assert read_bundle(copy, sha256=digest).manifest == read_bundle(copy, sha256=digest.upper()).manifest


def test_another_digest_than_expected_refuses_it(copy: Path) -> None:
    """The text names the file and both digests."""
    with pytest.raises(BundleError, match=rf"bundle\.json: its sha256 must be {'0' * 64}, but is [0-9a-f]{{64}}"):
        read_bundle(copy, sha256="0" * 64)


@pytest.mark.parametrize("name", [MANIFEST, *GRAPHS])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    """Whichever it is."""
    (copy / name).unlink()

    with pytest.raises(BundleError, match=f"{name}: the file is missing"):
        read_bundle(copy)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_changed_graph_is_named(copy: Path, name: str) -> None:
    """One byte is enough."""
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(BundleError, match=f"{name}: its sha256 must be"):
        read_bundle(copy)


@pytest.mark.parametrize(("version", "age"), [(FORMAT_VERSION + 1, "newer"), (FORMAT_VERSION - 1, "older")])
def test_another_format_version_is_refused_naming_both(copy: Path, version: int, age: str) -> None:
    """A bundle of a newer or an older program."""
    _edit(copy, format_version=version)

    with pytest.raises(
        BundleError, match=rf"version {version} is of an? {age} program, this one reads {FORMAT_VERSION}"
    ):
        read_bundle(copy)


def test_a_manifest_that_is_not_json_is_refused(copy: Path) -> None:
    """The text names the file."""
    (copy / MANIFEST).write_bytes(b"PK\x03\x04")

    with pytest.raises(BundleError, match=r"bundle\.json: "):
        read_bundle(copy)


@pytest.mark.parametrize("name", ["../../etc/passwd", "extra.onnx"])
def test_files_beside_the_promised_ones_are_refused(copy: Path, name: str) -> None:
    """A manifest cannot make the router read other places."""
    files = json.loads((copy / MANIFEST).read_text())["files"]
    _edit(copy, files=files | {name: "0" * 64})

    with pytest.raises(BundleError, match="`files` must name"):
        read_bundle(copy)


def test_text_cut_otherwise_than_here_is_refused(copy: Path) -> None:
    """Graphs fed with other text than they were trained on would answer nonsense."""
    features = json.loads((copy / MANIFEST).read_text())["features"]
    _edit(copy, features=features | {"head_characters": 7})

    with pytest.raises(BundleError, match="`features` must keep"):
        read_bundle(copy)


@pytest.mark.parametrize(
    "entry", [b"\n\x08location\x12\x0b/etc/passwd", b"\n\x88\x80\x00location\x12\x01x", b"\x8a\x00\x08location"]
)
def test_a_graph_that_names_another_file_is_refused(copy: Path, entry: bytes) -> None:
    """External data would read any file, however the key is spelt on the wire."""
    _replace(copy, TEXT, (copy / TEXT).read_bytes() + entry)

    with pytest.raises(BundleError, match=r"text\.onnx: a graph must hold its weights itself"):
        read_bundle(copy)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """The operating system's reason, in a BundleError."""
    (tmp_path / "bundle").touch()

    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(tmp_path / "bundle")


def test_a_file_beyond_the_cap_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size is looked at before content."""
    monkeypatch.setattr("chimera_router.prediction.bundle.LARGEST_FILE", 100)

    with pytest.raises(BundleError, match="at most 100 bytes"):
        read_bundle(copy)
