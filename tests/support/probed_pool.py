"""An OpenAI server that knows the probes' answers and gives right ones as often as a test says."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from chimera_training.probes.probe import Probe, read_probes

Chance = Callable[[Probe], float]


@dataclass
class ProbedPool:
    """The server.

    Attributes:
        skills: For each model, how likely it answers a probe right; the same probe always gets the same answer.
        tokens: For each model, the tokens of an answer; 100 where not given.
        failures: Statuses that it answers with first, with their Retry-After; an empty one gives no such header.
        key: API key that it wants; empty wants none.
        name: Of the pool: listed before the models, as Chimera does. Empty lists models only.
        asked: Model and probe of each request, in order.
        pauses: What the client slept between attempts, if it sleeps by `sleep`.
        together: Requests that wait for one another, so that as many have to be under way at once; 1 waits for none.
        most: Requests that were under way at once.
        fingerprint: `system_fingerprint` of its answers.
        finish: `finish_reason` of its answers.
    """

    skills: Mapping[str, Chance]
    tokens: Mapping[str, int] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)
    key: str = ""
    name: str = "assistants"
    asked: list[tuple[str, str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    fingerprint: str | None = None
    finish: str = "stop"
    together: int = 1
    most: int = 0

    def __post_init__(self) -> None:
        self._under_way = 0
        self._barrier = asyncio.Barrier(self.together)
        self._probes = {probe.prompt: probe for probe in read_probes()}

    def hold(self) -> None:
        """Answer nothing from now on."""
        self.most, self._barrier = 0, asyncio.Barrier(1_000_000)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def models(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        names = [self.name, *self.skills] if self.name else list(self.skills)
        owner = self.name or "vllm"
        return web.json_response({"object": "list", "data": [{"id": name, "owned_by": owner} for name in names]})

    async def chat(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        body = await request.json()
        if body["model"] not in self.skills:
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        probe = self._probes[body["messages"][-1]["content"]]
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await self._barrier.wait()
        self._under_way -= 1
        self.asked.append((body["model"], probe.id))
        return web.json_response(self._completion(body["model"], probe))

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.failures:
            status, retry_after = self.failures.pop(0)
            return web.Response(status=status, headers={"Retry-After": retry_after} if retry_after else {})
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.Response(status=401)
        return None

    def _completion(self, model: str, probe: Probe) -> dict[str, Any]:
        right = drawn(model, probe) < self.skills[model](probe)
        text = f"Step by step …\nAnswer: {probe.answer if right else 'no idea'}"
        return {
            "system_fingerprint": self.fingerprint,
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": self.finish}],
            "usage": {"prompt_tokens": 50, "completion_tokens": self.tokens.get(model, 100)},
        }


def drawn(model: str, probe: Probe) -> float:
    """Return a number from 0 to 1 that model and probe always get."""
    return int.from_bytes(hashlib.sha256(f"{model} {probe.id}".encode()).digest()[:8]) / 2**64


@asynccontextmanager
async def probed_pool(pool: ProbedPool) -> AsyncIterator[str]:
    """Serve it and yield its address."""
    application = web.Application()
    application.router.add_get("/v1/models", pool.models)
    application.router.add_post("/v1/chat/completions", pool.chat)
    async with TestServer(application, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}"


@contextmanager
def in_a_thread(pool: ProbedPool) -> Iterator[str]:
    """Serve it beside a command that runs in this thread, and yield its address."""
    loop, addresses, done = asyncio.new_event_loop(), list[str](), asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        async with probed_pool(pool) as url:
            addresses.append(url)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def always(chance: float) -> Chance:
    return lambda _: chance
