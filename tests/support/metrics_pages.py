"""Metrics pages as vLLM writes them, and servers that answer for engines in every good and bad way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[web.Request], Awaitable[web.Response]]


def vllm_page(running: object, waiting: object, kv_usage: object, made: float = 0.0) -> bytes:
    """Return a page with whatever is put on it."""
    labels = '{engine="0",model_name="m"}'
    numbers = {
        "num_requests_running": running,
        "num_requests_waiting": waiting,
        "kv_cache_usage_perc": kv_usage,
        "generation_tokens_total": made,
    }
    return "".join(f"# TYPE vllm:{name}\nvllm:{name}{labels} {value}\n" for name, value in numbers.items()).encode()


@dataclass(slots=True)
class StandIn:
    """An engine's management side.

    Attributes:
        page: What `/metrics` shows.
        status: Of `/metrics`.
        healthy: Whether `/health` answers; where not, it hangs.
        hangs: Whether `/metrics` does, until it is released.
        asked: How often each path was.
    """

    page: bytes = b""
    status: int = 200
    healthy: bool = True
    hangs: bool = False
    address: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def metrics(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        if self.hangs:
            await self.released.wait()
        return web.Response(body=self.page, status=self.status)

    async def health(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        if not self.healthy:
            await asyncio.Event().wait()
        return web.Response()


@asynccontextmanager
async def stand_in(engine: StandIn | None = None) -> AsyncIterator[StandIn]:
    """Serve an engine's pages."""
    engine = engine or StandIn(page=vllm_page(0, 0, 0.0))
    app = web.Application()
    for path in ("/metrics", "/prometheus/metrics"):
        app.router.add_get(path, engine.metrics)
    app.router.add_get("/health", engine.health)
    async with TestServer(app, host="127.0.0.1", handler_cancellation=True) as server:
        engine.address = f"127.0.0.1:{server.port}"
        yield engine


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail after a while."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")
