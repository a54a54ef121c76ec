"""An operator process, and what it says and takes."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from chimera_bench.idle_picker import running
from chimera_bench.operator_scale.ground import HOME
from chimera_operator.local.errors import NotReady
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.local.process import Child
from chimera_operator.rendering.envoy import LOOPBACK

MIB = 1024 * 1024  # bytes


class Subject:
    """A running operator.

    Args:
        child: Its process.
        url: Of its pages.
        session: Of an HTTP client.
    """

    def __init__(self, child: Child, url: str, session: aiohttp.ClientSession) -> None:
        self._child = child
        self._url = url
        self._session = session

    async def metric(self, name: str, **labels: str) -> float:
        """Return a number of its metrics page, summed over what the labels leave open.

        Raises:
            NotReady: It has ended.
        """
        return _value(await self._samples(), name, **labels)

    async def at_rest(self, pools: int) -> bool:
        """Return whether it has seen so many pools ready, and none waits to be looked at.

        Raises:
            NotReady: It has ended.
        """
        samples = await self._samples()
        ready = _value(samples, "chimera_pools", ready="True")
        return ready >= pools and _value(samples, "chimera_operator_queue_depth") == 0

    async def calls(self) -> float:
        """Return how many calls to the API server it has made.

        Raises:
            NotReady: It has ended.
        """
        return await self.metric("chimera_operator_api_calls_total")

    def resident_mib(self) -> float:
        """Return the memory that it has in use now, in MiB (Linux)."""
        return self._kib("VmRSS") * 1024 / MIB

    def peak_mib(self) -> float:
        """Return the most memory that it has had in use, in MiB (Linux)."""
        return self._kib("VmHWM") * 1024 / MIB

    def processor_seconds(self) -> float:
        """Return the processor time that it has taken (Linux)."""
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def _samples(self) -> list[Sample]:
        try:
            async with self._session.get(f"{self._url}/metrics") as response:
                page = await response.text()
        except aiohttp.ClientConnectionError:
            raise NotReady(f"the operator {self._child.state}", said=self._child.tail()) from None
        return [sample for family in text_string_to_metric_families(page) for sample in family.samples]

    def _kib(self, field: str) -> float:
        lines = Path(f"/proc/{self._child.pid}/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def _value(samples: list[Sample], name: str, **labels: str) -> float:
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


@asynccontextmanager
async def operator(kubeconfig: Path) -> AsyncIterator[Subject]:
    """Run an operator of all namespaces.

    Raises:
        LocalError: It could not be started.
    """
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    argv = (
        *(sys.executable, "-m", "chimera_operator", f"--kubeconfig={kubeconfig}", f"--host={LOOPBACK}"),
        *(f"--management-port={port}", f"--operator-namespace={HOME}", "--picker-image=picker"),
        *("--simulator-image=simulator", "--log-level=warning"),
    )
    command = Command(name="operator", argv=argv, ready_url=f"{url}/healthz")
    async with running(command) as child, aiohttp.ClientSession() as session:
        yield Subject(child, url, session)
