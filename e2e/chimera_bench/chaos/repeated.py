"""Row 15 goes on: a body that says a thing twice is refused, or read alike by all."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Site, ground
from chimera_bench.chaos.probe import BODY, probe
from chimera_bench.load import answers, http1
from chimera_bench.load.prompts import CHAT
from chimera_operator.local.ports import free_ports
from chimera_operator.rendering.envoy import LOOPBACK

_TWICE = BODY.replace(b'"model"', b'"model": "large", "priority": -9, "model"')


async def repeated() -> list[Finding]:
    """Send a body with two models, of which the pool's engine serves one."""
    async with _recording() as (port, bodies), ground(Site(engines=[port], models=("small",))) as pool:
        answer = await probe(pool.port, http1.request("POST", CHAT, _TWICE))
    read = [json.loads(body, object_pairs_hook=_pairs)["model"] for body in bodies]
    return [
        Finding(
            row="15q",
            fault="a body with two models",
            rule="400, or whoever reads the engine's body finds one model, which is the engine's",
            figure=f"{answer.status}; the engine's body has {read}",
            passed=answer.status == 400 or read == [["small"]],
        )
    ]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Keep all values of a name."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


@asynccontextmanager
async def _recording() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve an engine that keeps what it is sent; yield its port and that."""
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.json_response({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=answers.metrics(running=0))

    app, (port,) = web.Application(), free_ports(1)
    app.add_routes([web.post(CHAT, answer), web.get("/metrics", metrics)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield port, bodies
    finally:
        await runner.cleanup()
