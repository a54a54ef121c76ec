"""Reads a bundle's folder and lets nothing in that breaks a rule; `chimera_training.bundle` says what it holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chimera_router.errors import BundleError
from chimera_training.bundle import MANIFEST, Manifest, ManifestError, decode, digest
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS

# Bytes of one file. A graph with ModernBERT-large inside has 1.6 GB; what is larger would be read whole for nothing.
LARGEST_FILE = 2 << 30

# A tensor whose data lies in another file names it under the key `location` (StringStringEntryProto.key, field 1): tag,
# length 8, the word; protobuf also reads numbers with needless continuation bytes. Words of a vocabulary carry another
# tag. Such a graph would read whatever file it names.
_EXTERNAL_DATA = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are what its manifest says.

    Attributes:
        folder: Where it was read from.
        graphs: Bytes of every graph, and of the tokenizer where the text graph takes tokens, by file name.
    """

    folder: Path
    manifest: Manifest
    graphs: Mapping[str, bytes]


def default_bundle() -> Path:
    """Return the folder of the bundle inside the package."""
    return Path(__file__).parent / "bundles" / "default"


def read_bundle(folder: Path, *, sha256: str = "") -> Bundle:
    """Read a bundle.

    Args:
        folder: Holds `bundle.json` and the files it names.
        sha256: Digest that `bundle.json` must have, in hex; empty takes any.

    Raises:
        BundleError: A file is missing, has another digest, or breaks a rule of the format.
    """
    text = _read(folder / MANIFEST)
    if sha256 and digest(text) != sha256.lower():
        raise BundleError(f"{folder / MANIFEST}: its sha256 must be {sha256}, but is {digest(text)}")
    try:
        manifest = decode(text)
    except ManifestError as broken:
        raise BundleError(f"{folder / MANIFEST}: {broken}") from None
    _check_text_settings(folder, manifest)
    graphs = {name: _graph(folder / name, sha256) for name, sha256 in manifest.files.items()}
    return Bundle(folder, manifest, graphs)


def _graph(path: Path, sha256: str) -> bytes:
    content = _read(path)
    if digest(content) != sha256:
        raise BundleError(f"{path}: its sha256 must be {sha256} as {MANIFEST} says, but is {digest(content)}")
    if _EXTERNAL_DATA.search(content):
        raise BundleError(f"{path}: a graph must hold its weights itself, not name another file")
    return content


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BundleError(f"{path}: a file of a bundle has at most {LARGEST_FILE} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"{path}: the file is missing") from None
    except OSError as error:
        raise BundleError(f"{path}: the file cannot be read: {error.strerror}") from None


def _check_text_settings(folder: Path, manifest: Manifest) -> None:
    settings = manifest.features
    if (settings.head_characters, settings.tail_characters) != (HEAD_CHARACTERS, TAIL_CHARACTERS):
        raise BundleError(
            f"{folder / MANIFEST}: `features` must keep {HEAD_CHARACTERS} and {TAIL_CHARACTERS} characters of a text"
        )
