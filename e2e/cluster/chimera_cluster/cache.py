"""What is made once for a user and found again: programs, images, the base they stand on."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chimera"


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, made now unless it is there; while another process makes it, wait for that.

    Args:
        target: The folder. Whoever finds it finds it whole, so its name must tell all that it is made from.
        make: Fills the empty folder that it is given.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_suffix(".lock")):
        if not target.exists():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
            part.mkdir()
            make(part)
            part.rename(target)
    return target


def keep_newest(folder: Path, name: str, *, count: int) -> None:
    """Remove what is out of date among the folders NAME-DIGEST, however often each was made.

    Args:
        folder: Where they are.
        name: What they have in common.
        count: How many stay.
    """
    made = [path for path in folder.glob(f"{name}-*") if path.is_dir() and path.name.rpartition("-")[0] == name]
    for path in sorted(made, key=lambda path: path.stat().st_mtime)[:-count]:
        shutil.rmtree(path)
        path.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
