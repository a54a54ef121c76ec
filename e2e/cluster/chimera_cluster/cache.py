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


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
