"""A pool without a picker: real engines in this event loop, and a proxy that sends each request where a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from chimera_bench.engine.recording import Recording, recorded_tokens
from chimera_bench.engine.server import EngineServer, ServerSettings
from chimera_router import wire
from chimera_router.scheduling.types import Coefficients
from chimera_training.data import Workflow

QUICK = Coefficients(base_step=0.001, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=64, kv_tokens=10**6)

Choice = Callable[[list[dict[str, str]]], str | int]


@asynccontextmanager
async def engine(
    name: str, recording: Recording, *, coefficients: Coefficients = QUICK, **settings: Any
) -> AsyncIterator[str]:
    """Serve one engine; yield its URL."""
    server = EngineServer(
        ServerSettings(served_names=(name, f"{name}-alias"), coefficients=coefficients, **settings), recording
    )
    async with TestServer(server.application(), host="127.0.0.1", handler_cancellation=True) as running:
        yield f"http://127.0.0.1:{running.port}"


async def metrics(http: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Return an engine's samples by name, those of all labels summed."""
    async with http.get(f"{url}/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        values: dict[str, float] = {}
        for sample in (sample for family in families for sample in family.samples):
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
        return values


async def wait_for(http: aiohttp.ClientSession, url: str, name: str, value: float) -> None:
    """Wait until an engine shows this value."""
    async with asyncio.timeout(10):
        while True:
            if (await metrics(http, url)).get(name) == value:
                return
            await asyncio.sleep(0.01)


@dataclass
class FakePool:
    """The proxy. `choose` names the model for a message list, or a status to fail with.

    Attributes:
        bodies: What it was asked, in order.
        headers: With which headers.
    """

    choose: Choice
    engines: Mapping[str, str]
    http: aiohttp.ClientSession
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(request.headers)
        choice = self.choose(body["messages"])
        if isinstance(choice, int):
            return web.Response(status=choice)
        if choice not in self.engines:
            return web.Response(headers={wire.MODEL: choice}, body=b"data: [DONE]\n\n")
        return await self._forward(request, body | {"model": choice}, choice)

    async def _forward(self, request: web.Request, body: dict[str, Any], model: str) -> web.StreamResponse:
        async with self.http.post(f"{self.engines[model]}/v1/chat/completions", json=body) as answer:
            response = web.StreamResponse(status=answer.status, headers={wire.MODEL: model})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


@asynccontextmanager
async def fake_pool(runs: Mapping[str, list[Workflow]], choose: Choice) -> AsyncIterator[tuple[str, FakePool]]:
    """Serve an engine for each model, which answers as recorded; yield the proxy's URL and the proxy."""
    async with AsyncExitStack() as stack:
        engines = {
            name: await stack.enter_async_context(engine(name, Recording(recorded_tokens(recorded), [3], seed=0)))
            for name, recorded in runs.items()
        }
        http = await stack.enter_async_context(aiohttp.ClientSession())
        pool = FakePool(choose, engines, http)
        application = web.Application()
        application.router.add_post("/v1/chat/completions", pool.handle)
        server = await stack.enter_async_context(TestServer(application, host="127.0.0.1"))
        yield f"http://127.0.0.1:{server.port}", pool
