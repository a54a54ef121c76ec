"""What is asked of engines, real or simulated, over their own API."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from chimera_router.engines import page as pages
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Reading

CHAT = "/v1/chat/completions"

START_SECONDS = 900.0
"""For vLLM, which imports for half a minute of processor time, twice for each engine, on what may be a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A pool that serves.

    Attributes:
        url: Of the gateway.
        management: Of the picker's pages.
        engines: URLs by model.
    """

    url: str
    management: str
    engines: Mapping[str, str]


def chat(model: str, *, tokens: int, **fields: Any) -> dict[str, Any]:
    """Return the body of a chat whose answer has just so many tokens."""
    messages = [{"role": "user", "content": "What is 17 times 23?"}]
    return {"model": model, "messages": messages, "max_tokens": tokens, "ignore_eos": True, **fields}


async def ask(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a chat that succeeds."""
    async with http.post(f"{url}{CHAT}", json=body) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


@asynccontextmanager
async def busy(http: aiohttp.ClientSession, url: str, body: dict[str, Any], *, clients: int) -> AsyncIterator[None]:
    """Keep an engine at work for as long as the block lasts: each client asks again as soon as it has its answer."""

    async def again() -> None:
        while True:
            await ask(http, url, body)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(again()) for _ in range(clients)]
        yield
        for task in tasks:
            task.cancel()


async def page(http: aiohttp.ClientSession, url: str) -> bytes:
    """Return an engine's metrics page."""
    async with http.get(f"{url}/metrics") as response:
        return await response.read()


async def await_load(
    http: aiohttp.ClientSession, url: str, holds: Callable[[Reading], bool], *, seconds: float = 120.0
) -> Reading:
    """Wait until what the picker reads on an engine's page meets a condition; return it."""
    async with asyncio.timeout(seconds):
        while True:
            found = pages.read(await page(http, url), VLLM)
            assert isinstance(found, Reading), found
            if holds(found):
                return found
            await asyncio.sleep(0.05)


def events(stream: str) -> list[dict[str, Any]]:
    """Return the JSON events of a stream, without the mark at its end."""
    lines = (line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]
