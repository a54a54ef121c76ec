"""A picker process over engines that somebody else runs, and what it has done so far."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.local.process import Child
from chimera_operator.local.supervisor import supervise
from chimera_operator.rendering.envoy import LOOPBACK

_READY_SECONDS = 60.0  # to load the bundle on a busy machine
_COEFFICIENTS = {
    "baseStepMs": 7,
    "stepPerSequenceUs": 28,
    "prefillUsPerToken": 20,
    "maxNumSeqs": 256,
    "kvTokens": 500_000,
}


@dataclass(frozen=True, slots=True)
class IdlePicker:
    """A running picker.

    Attributes:
        url: Of its management pages.
        grpc_port: Of ext_proc, in plain text.
    """

    child: Child
    url: str
    grpc_port: int

    async def scrapes(self) -> float:
        """Return how many questions it has put to engines."""
        return await self._metric("chimera_engine_scrapes_total{")

    async def settled(self, seconds: float = 30.0) -> None:
        """Wait until no stream is open.

        Raises:
            TimeoutError: One still is after so many seconds.
        """
        async with asyncio.timeout(seconds):
            while await self._metric("chimera_streams "):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def _metric(self, start: str) -> float:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(start))

    def resident_bytes(self) -> int:
        """Return the memory that it has in use (Linux)."""
        return int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_seconds(self) -> float:
        """Return the processor time that it has taken, in steps of the kernel's clock (Linux)."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def idle_picker(ports: Sequence[int], *options: str) -> AsyncIterator[IdlePicker]:
    """Run a picker of one model on all these ports, with more options of the command line; yield once it is ready.

    Raises:
        LocalError: It could not be started.
    """
    management, grpc_port = free_ports(2)
    url = f"http://{LOOPBACK}:{management}"
    with tempfile.TemporaryDirectory() as folder:
        config = _configured(Path(folder), ports)
        flags = ("--insecure", "--management-port", str(management), "--grpc-port", str(grpc_port))
        argv = (sys.executable, "-m", "chimera_router", "--config", config, "--host", LOOPBACK, *flags, *options)
        async with running(Command(name="picker", argv=argv, ready_url=f"{url}/readyz")) as child:
            yield IdlePicker(child, url, grpc_port)


@asynccontextmanager
async def running(command: Command) -> AsyncIterator[Child]:
    """Run one command; yield once it serves.

    Raises:
        LocalError: It could not be started.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with supervise([command], logs=Path(folder), ready_seconds=_READY_SECONDS) as (child,):
            yield child


def _configured(folder: Path, ports: Sequence[int]) -> str:
    endpoints = [{"name": str(port), "address": f"{LOOPBACK}:{port}", "model": "m"} for port in ports]
    (folder / "endpoints.json").write_text(json.dumps({"endpoints": endpoints}))
    models = [{"name": "m", "coefficients": _COEFFICIENTS}]
    config = {"pool": "bench", "models": models, "discovery": {"file": {"path": "endpoints.json"}}}
    path = folder / "router.json"
    path.write_text(json.dumps(config))
    return str(path)
