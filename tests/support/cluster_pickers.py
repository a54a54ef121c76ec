"""A picker as a process that takes its configuration and its endpoints from a cluster."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession
from envoys import free_port
from picker_processes import COEFFICIENTS


def config(namespace: str, *, pool: str = "pool", **changes: object) -> str:
    """Return a RouterConfig of one model, `small`, whose endpoints an InferencePool selects."""
    whole = {
        "pool": "assistants",
        "models": [{"name": "small", "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}}],
        "discovery": {"kubernetes": {"namespace": namespace, "inferencePool": pool}},
        **changes,
    }
    return json.dumps(whole)


class ClusterPicker:
    """A picker process and what its management pages say."""

    def __init__(self, process: Process, port: int, http: ClientSession) -> None:
        self.process = process
        self._url = f"http://127.0.0.1:{port}"
        self._http = http

    async def serving(self) -> bool:
        """Return whether its pages answer."""
        try:
            async with self._http.get(f"{self._url}/readyz") as response:
                return response.status == 200
        except ClientError:
            return False

    async def status(self) -> dict[str, Any]:
        """Return its status page."""
        async with self._http.get(f"{self._url}/chimera/v1/status") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def metric(self, name: str, **labels: str) -> float:
        """Return a number of its metrics page; 0 where there is none."""
        async with self._http.get(f"{self._url}/metrics") as response:
            page = await response.text()
        told = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        match = re.search(rf"^{re.escape(f'{name}{{{told}}}' if told else name)} (\S+)$", page, re.MULTILINE)
        return float(match.group(1)) if match else 0.0

    async def endpoints(self, model: str = "small") -> tuple[int, int]:
        """Return how many endpoints a model has, and how many of them are ready."""
        (found,) = [each for each in (await self.status())["models"] if each["model"] == model]
        return found["endpoints"], found["ready"]

    async def ended(self) -> str:
        """Return, once it has ended, what it wrote."""
        _, stderr = await asyncio.wait_for(self.process.communicate(), 20)
        return stderr.decode()


@asynccontextmanager
async def cluster_picker(kubeconfig: Path, config_map: str) -> AsyncIterator[ClusterPicker]:
    """Run a picker, which may not be serving yet, and kill it at the end."""
    port = free_port()
    argv = ["--config-map", config_map, "--kubeconfig", str(kubeconfig), "--host", "127.0.0.1", "--insecure"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chimera_router", *argv, "--grpc-port=0", f"--management-port={port}"), stderr=PIPE
    )
    try:
        async with ClientSession() as http:
            yield ClusterPicker(process, port, http)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
