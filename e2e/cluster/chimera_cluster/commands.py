"""Other programs, run to their end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from chimera_cluster.errors import ClusterError

_SHOWN = 15  # lines of what a program said last, where it failed


def output(command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return what a program prints.

    Args:
        command: The program and its arguments.
        folder: Where it runs. None: here.
        environment: What it finds besides this process's own.

    Raises:
        ClusterError: It is not there, or failed; with the last lines that it said.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError(f"{command[0]} is not installed") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN:])
        raise ClusterError(f"{command[0]} failed with {done.returncode}:\n{said}")
    return done.stdout
