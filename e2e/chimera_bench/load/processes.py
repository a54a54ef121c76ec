"""What processes of this machine use, as Linux accounts for it."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CPUCLOCK_SCHED = 2  # linux/posix-timers.h: which clock of another process
_TICKS = os.sysconf("SC_CLK_TCK")  # a second, of /proc/stat
_IDLE = (3, 4)  # places of idle and iowait among the processors' times
_TIMES = 8  # user to steal; what follows is part of these


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its children have taken, in nanoseconds' steps.

    /proc has it in hundredths of a second, which is the time of a hundred requests.
    """
    return sum(map(_own_seconds, tree(pid)))


def resident_bytes(pid: int) -> int:
    """Return the memory that a process and its children have in use; what they share is counted for each."""
    return sum(map(_own_bytes, tree(pid)))


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    with suppress(OSError):  # it may end meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from tree(int(child))


def busy_seconds() -> float:
    """Return the time for which all processors together have been busy, whoever kept them so."""
    times = [int(ticks) for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1 : 1 + _TIMES]]
    return (sum(times) - sum(times[place] for place in _IDLE)) / _TICKS


def _own_seconds(pid: int) -> float:
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    return 0.0


def _own_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
