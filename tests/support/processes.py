"""What tests ask about processes of this machine."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits for its parent to look at its exit code does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def await_that(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Return as soon as the condition holds; fail after a while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def await_gone(pids: Iterable[int]) -> None:
    """Return as soon as none of the processes runs."""
    left = list(pids)
    await_that(lambda: not any(alive(pid) for pid in left))


def children(parent: int) -> dict[int, str]:
    """Return the command lines of a process's running children by pid."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in map(int, listed) if alive(pid)}
