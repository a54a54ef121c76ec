"""Where vLLM is installed: a virtual environment in the user's cache, apart from the project's own."""

import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chimera_cluster.cache import HOME, keep_newest, locked
from chimera_vllm.errors import VllmError

VERSION = "0.32.0"
"""Of vLLM: the newest whose CPU build is a package. `requirements/vllm.in` pins it too."""

LOCK = Path(__file__).resolve().parents[3] / "requirements" / "vllm.lock"

FREE_BYTES = 8 * 10**9
"""What the disk needs before the installation: 5.9 GB stay, and the largest package is there twice for a while."""

_SAID = 300  # characters of what an installer said last


def place() -> Path:
    """Return the folder of the environment, which is named by all that it is made from."""
    digest = hashlib.sha256(LOCK.read_bytes() + platform.python_version().encode()).hexdigest()[:12]
    return HOME / "vllm" / f"env-{digest}"


def python(environment: Path) -> Path:
    """Return the Python that has vLLM."""
    return environment / "bin" / "python"


def found() -> Path | None:
    """Return the environment, if it is there and whole."""
    folder = place()
    return folder if _mark(folder).exists() else None


def prepared() -> Path:
    """Return the environment, made now unless it is there: minutes, 6 GB.

    Raises:
        VllmError: It cannot be made here.
    """
    folder = place()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not _mark(folder).exists():
            _check(folder.parent)
            shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
            _install(folder)
            _mark(folder).touch()
    folder.touch()  # else one of another branch, made later, would be the newest
    keep_newest(folder.parent, "env", count=1)
    return folder


def _mark(folder: Path) -> Path:
    """Return the file that says that an environment is whole: its programs name its folder, so it cannot be renamed."""
    return folder / "whole"


def _check(home: Path) -> None:
    """Raise VllmError where the packages cannot be had or have no room."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise VllmError(f"vLLM {VERSION} for CPUs is a package for Linux on x86_64 only")
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES:
        raise VllmError(f"{home} has {free / 1e9:.1f} GB free, and vLLM needs {FREE_BYTES / 1e9:.0f}")


def _install(folder: Path) -> None:
    """Fill the environment as the lock says. The overrides are in the lock already, so nothing is resolved."""
    locked_packages = ["--no-deps", "--require-hashes", "-r", str(LOCK)]
    if uv := shutil.which("uv"):
        _run([uv, "venv", "-q", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "install", "-q", "--python", str(python(folder)), *locked_packages])
    else:
        _run([sys.executable, "-m", "venv", str(folder)])
        quiet = ["-q", "--disable-pip-version-check", "--no-cache-dir"]
        _run([str(python(folder)), "-m", "pip", "install", *quiet, *locked_packages])
    _name_the_distribution(folder)


def _name_the_distribution(folder: Path) -> None:
    """Let the `vllm` command find its version: it asks for a distribution `vllm`, and the CPU build is another."""
    (packages,) = folder.glob("lib/python*/site-packages")
    named = packages / f"vllm-{VERSION}+cpu.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-_SAID:]
        raise VllmError(f"vLLM cannot be installed: {said}")
