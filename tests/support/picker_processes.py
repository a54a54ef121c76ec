"""A picker process that keeps what it learned, and requests through it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
from aiohttp import ClientError, ClientSession
from envoys import free_port
from gateways import BODY, CHAT, Stream, set_headers

from chimera_router import wire

COEFFICIENTS = {
    "baseStepMs": 7,
    "stepPerSequenceUs": 28,
    "prefillUsPerToken": 20,
    "maxNumSeqs": 256,
    "kvTokens": "1000",
}


@dataclass(frozen=True, slots=True)
class Served:
    """Where a request went, and as what it was known."""

    destination: str
    model: str
    workflow: str


class Picker:
    """A running picker with state and feedback on, and its ports.

    Args:
        folder: Of its files.
        addresses: Of the endpoints, by model; one address is that of `small`.
        options: Of the command line, beside configuration, state and ports.
        config: Further fields of its configuration.

    Attributes:
        environment: Variables on top of the inherited ones.
        host: What it binds.
        output: Gets what it prints, where there is one; else a pipe gets its log.
    """

    def __init__(
        self, folder: Path, addresses: str | Mapping[str, str], *options: str | Path, **config: object
    ) -> None:
        self.folder = folder
        self.options = options or ("--insecure",)
        self.environment: dict[str, str] = {}
        self.host = "127.0.0.1"
        self.output: IO[bytes] | None = None
        self.grpc, self.management, self.feedback = free_port(), free_port(), free_port()
        by_model = {"small": addresses} if isinstance(addresses, str) else addresses
        endpoints = [{"name": f"e-{name}", "address": address, "model": name} for name, address in by_model.items()]
        models = [
            {"name": name, "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}} for name in by_model
        ]
        file = {"pool": "assistants", "models": models, "discovery": {"file": {"path": "endpoints.json"}}, **config}
        folder.mkdir(exist_ok=True)
        (folder / "endpoints.json").write_text(json.dumps({"endpoints": endpoints}))
        (folder / "router.json").write_text(json.dumps(file))

    async def start(self) -> Process:
        ports = {"grpc-port": self.grpc, "management-port": self.management, "feedback-port": self.feedback}
        options = [f"--{name}={port}" for name, port in ports.items()]
        argv = ["--config", self.folder / "router.json", "--state-path", self.folder / "state", *self.options, *options]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chimera_router", *map(str, argv), f"--host={self.host}"),
            stdout=self.output,
            stderr=self.output or PIPE,
            env=os.environ | self.environment,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.management}"

    async def ready(self) -> bool:
        try:
            async with ClientSession() as http, http.get(f"http://127.0.0.1:{self.management}/readyz") as response:
                return response.status == 200
        except ClientError:
            return False

    async def metrics(self) -> str:
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{self.management}/metrics") as response:
            return await response.text()

    async def metric(self, name: str) -> float:
        """Return one sample, labels included in its name; 0 where there is none yet."""
        lines = (await self.metrics()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)

    async def ask(self, body: bytes = BODY, *, tokens: int = 1000, reply: str = "", **headers: str) -> Served:
        """Send one request through ext_proc, let its answer be of so many tokens, and return where it went."""
        usage = {"prompt_tokens": 3, "completion_tokens": tokens}
        answer = json.dumps({"choices": [{"message": {"content": reply}}], "usage": usage}).encode()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc}") as channel:
            stream = Stream(channel)
            await stream.headers({**CHAT, **{name.replace("_", "-"): value for name, value in headers.items()}})
            await stream.body(body, end=True)
            sent, _ = await stream.read(), await stream.read()
            await stream.headers({":status": "200", "content-type": "application/json"}, response=True)
            await stream.body(answer, end=True, response=True)
            given, _ = await stream.read(), await stream.read()
        told = set_headers(given.response_headers)
        return Served(set_headers(sent.request_headers)[wire.DESTINATION], told[wire.MODEL], told[wire.WORKFLOW_ID])

    async def explain(self, body: bytes, **headers: str) -> dict[str, Any]:
        """Return the decision that a request would get."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.management}/chimera/v1/explain"
        async with ClientSession() as http, http.post(url, data=body, headers=names) as response:
            decision: dict[str, Any] = await response.json()
            return decision


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Wait until something comes true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - there is nothing that tells
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(picker: Picker) -> AsyncIterator[Process]:
    process = await picker.start()
    try:
        await until(picker.ready)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stopped(process: Process) -> str:
    process.send_signal(signal.SIGTERM)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    return stderr.decode()
