"""Simulated engines inside the test's own event loop."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from chimera_bench.engine.recording import Recording
from chimera_bench.engine.server import EngineServer, ServerSettings
from chimera_router.scheduling.types import Coefficients

QUICK = Coefficients(base_step=0.002, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=64, kv_tokens=5_000_000)
ANSWER_TOKENS = 20


@asynccontextmanager
async def engine(name: str, coefficients: Coefficients = QUICK, *, tokens: int = ANSWER_TOKENS) -> AsyncIterator[str]:
    """Serve one engine and yield its `ip:port`; every answer has the same number of tokens."""
    settings = ServerSettings(served_names=(name,), coefficients=coefficients)
    server = TestServer(
        EngineServer(settings, Recording({}, [tokens], seed=0)).application(),
        host="127.0.0.1",
        handler_cancellation=True,
    )
    async with server:
        yield f"127.0.0.1:{server.port}"


@asynccontextmanager
async def engine_process(name: str, port: int) -> AsyncIterator[Process]:
    """Run one engine as a process that a test may kill."""
    flags = {"port": port, "max-num-seqs": 8, "kv-tokens": 100_000, "base-step-ms": 50}
    flags |= {"step-per-sequence-us": 0, "prefill-us-per-token": 0, "served-model-name": name}
    argv = [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "chimera_bench.engine", *argv)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve an engine that answers any call with a small completion, and yield its address and the bodies it got."""
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.json_response({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"127.0.0.1:{server.port}", bodies


@asynccontextmanager
async def broken() -> AsyncIterator[str]:
    """Serve an engine that answers every call as a proxy in trouble would, in HTML, and yield its address."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=500, text="<h1>canary</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"127.0.0.1:{server.port}"
