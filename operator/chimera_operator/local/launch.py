"""Become a program that dies with its parent: `python launch.py PARENT_PID PROGRAM [ARGUMENT...]`.

A file of its own, run by path: between fork and exec only async-signal-safe code is safe, so the wish to be killed is
made by the child itself, in a fresh interpreter that then turns into the program. Linux means the thread that forked
by "parent", here the one that runs the event loop.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, program: list[str]) -> None:
    """Replace this process by the program, bound to the life of `parent` where the system can do that (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # the parent died before the wish was made
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
