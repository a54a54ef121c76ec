"""Puts locked wheels into a folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def install(wheels: Path, target: Path, *requirements: str) -> None:
    """Install requirements into a folder from wheels alone, by the pip that is one of the wheels.

    Nothing is compiled here: for how a file is compiled, see `compiling`.
    """
    (pip,) = wheels.glob("pip-*.whl")
    quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    offline = ["--no-index", f"--find-links={wheels}", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "install", *quiet, *offline, "--no-deps", "--no-compile"]
    environment = {**os.environ, "PYTHONPATH": str(pip)}
    subprocess.run([*command, f"--target={target}", *requirements], env=environment, check=True)


def prune(target: Path, patterns: Sequence[str]) -> None:
    """Remove what a wheel carries and nobody here runs.

    Raises:
        ValueError: A pattern finds nothing: the wheel has changed, and the pattern is out of date.
    """
    for pattern in patterns:
        found = list(target.glob(pattern))
        if not found:
            raise ValueError(f"nothing to prune: {pattern}")
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
