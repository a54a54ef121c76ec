"""An operator as a process, and what its pages say."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession
from envoys import free_port

SUPPORT = Path(__file__).parent


class OperatorProcess:
    """A running operator.

    Attributes:
        process: Its process.
    """

    def __init__(self, process: Process, port: int, http: ClientSession) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}"
        self._http = http

    async def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page; 0 where nobody answers."""
        try:
            async with self._http.get(f"{self._url}{path}") as response:
                return response.status, await response.text()
        except ClientError:
            return 0, ""

    async def metric(self, name: str, **labels: str) -> float:
        """Return a number of its metrics page, summed over what the labels leave open."""
        _, page = await self.page("/metrics")
        lines = re.findall(rf"^{re.escape(name)}(?:{{(.*)}})? (\S+)$", page, re.MULTILINE)
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        return sum(float(value) for told, value in lines if wanted <= set(told.split(",")))

    async def leads(self) -> bool:
        """Return whether it leads and knows everything."""
        return await self.metric("chimera_operator_leader") == 1 and (await self.page("/readyz"))[0] == 200

    async def ready(self) -> bool:
        """Return whether it says that it is ready."""
        return (await self.page("/readyz"))[0] == 200

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    async def stopped(self) -> list[dict[str, Any]]:
        """Ask it to stop; return, once it has, what it logged."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> list[dict[str, Any]]:
        """Return, once it has ended, what it logged."""
        _, stderr = await asyncio.wait_for(self.process.communicate(), 30)
        return [json.loads(line) for line in stderr.decode().splitlines()]


@asynccontextmanager
async def operator_process(
    kubeconfig: Path, *argv: str, module: str = "toy_operator"
) -> AsyncIterator[OperatorProcess]:
    """Run an operator, which may not lead yet, and kill it at the end; by default one with the toy planner."""
    port = free_port()
    told = ["--picker-image=picker", "--simulator-image=simulator", "--operator-namespace=default", *argv]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, f"--kubeconfig={kubeconfig}", "--host=127.0.0.1"),
        *(f"--management-port={port}", *told),
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])},
    )
    try:
        async with ClientSession() as http:
            yield OperatorProcess(process, port, http)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
