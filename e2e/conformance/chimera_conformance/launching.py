"""Start a picker by its command line, and stop it in the end."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from chimera_conformance.picker import connected
from chimera_conformance.processes import accepts, free_ports, stop
from chimera_conformance.target import LOOPBACK, Endpoint, Target, split

STARTED = 60.0  # seconds in which a picker serves: one that loads models takes a dozen on a busy machine
DRAINED = 40.0  # seconds in which it ends after SIGTERM: pickers drain for 30
_PAUSE = 0.1  # seconds between looks


class LaunchError(Exception):
    """A picker did not start, or does not serve. The text says where its log is."""


def command(line: str, *, port: int, endpoints: Sequence[Endpoint], folder: Path) -> list[str]:
    """Return the arguments in a command line with its placeholders filled in.

    Args:
        line: With `{python}`, `{port}`, `{endpoints}` and `{folder}`.
        port: On which the picker shall serve ext_proc.
        endpoints: The pool, parted by commas.
        folder: For files of the picker's own.
    """
    values = {"{port}": str(port), "{endpoints}": ",".join(map(str, endpoints)), "{folder}": str(folder)}
    arguments = shlex.split(line)
    for place, value in {**values, "{python}": sys.executable}.items():
        arguments = [argument.replace(place, value) for argument in arguments]
    return arguments


@asynccontextmanager
async def launched(line: str, *, endpoints: Sequence[Endpoint], folder: Path) -> AsyncIterator[str]:
    """Run a picker and yield its address, once it accepts connections.

    Raises:
        LaunchError: It ended, or accepts none.
    """
    (port,) = free_ports(1)
    log = folder / "picker.log"
    with _made(log) as output:
        argv = command(line, port=port, endpoints=endpoints, folder=folder)
        try:
            process = await asyncio.create_subprocess_exec(*argv, stdout=output, stderr=output)
        except OSError as error:
            raise LaunchError(f"{argv[0]}: {error.strerror}") from error
    try:
        await _accepting(process, port, log)
        yield f"{LOOPBACK}:{port}"
    finally:
        await stop(process, within=DRAINED)


def _made(log: Path) -> BinaryIO:
    log.parent.mkdir()
    return log.open("wb")


async def serving(target: Target) -> None:
    """Return once the picker chooses every endpoint of its pool.

    Raises:
        LaunchError: It does not come to that.
    """
    if not await accepts(*split(target.address)):
        raise LaunchError(f"{target.address}: nobody listens there")
    async with connected(target) as picker:
        if not await picker.settled():
            raise LaunchError(f"{target.address}: some endpoint is not chosen even where only it is allowed")


async def _accepting(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + STARTED
    while not await accepts(LOOPBACK, port):
        if process.returncode is not None:
            raise LaunchError(f"the picker ended with {process.returncode}; its log: {log}")
        if asyncio.get_running_loop().time() > deadline:
            raise LaunchError(f"the picker accepts no connection after {STARTED:.0f} s; its log: {log}")
        await asyncio.sleep(_PAUSE)
