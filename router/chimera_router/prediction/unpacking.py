"""Unpack an archive of predictors from elsewhere: files and folders into one folder, and no more of them than fit."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from chimera_router.errors import BundleError

MOST_BYTES = 8 << 30  # unpacked; the largest text encoders have 2 GB, and a small archive can hold any number of zeros
MOST_FILES = 1000  # a bundle has a dozen

_PART = ".part"


def unpack(archive: Path, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Put what is in a .tar.gz into a folder in place of what is there, whole or not at all.

    Args:
        archive: The archive.
        folder: The folder, which exists; it may be the root of a volume.
        most_bytes: What all files together may have.

    Raises:
        BundleError: It is no such archive, or holds what it must not.
    """
    part = folder / _PART
    _empty(folder)
    part.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(part, members=_checked(tar, most_bytes), filter="data")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        _empty(folder)
        raise BundleError(f"the archive cannot be unpacked ({type(error).__name__})") from error
    except BundleError:
        _empty(folder)
        raise
    for each in tuple(part.iterdir()):
        each.rename(folder / each.name)
    part.rmdir()


def _checked(tar: tarfile.TarFile, most_bytes: int) -> Iterator[tarfile.TarInfo]:
    """Yield the members as they come, for as long as all keep the rules."""
    files = size = 0
    for member in tar:
        files, size = files + 1, size + member.size
        if not (member.isfile() or member.isdir()):
            raise BundleError("the archive holds something that is neither file nor folder")
        if files > MOST_FILES:
            raise BundleError(f"the archive holds more than {MOST_FILES} files")
        if size > most_bytes:
            raise BundleError(f"the archive holds more than {most_bytes} bytes")
        yield member


def _empty(folder: Path) -> None:
    for each in tuple(folder.iterdir()):
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
