"""Flow control behind the real Envoy, used by the official client."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import openai
import pytest
from directors import director
from engines import engine
from envoys import served

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Choose

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

SLOTS = 4  # of each of the two endpoints
BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "crowd"}]}'
CROWD = Choose(request=parse(Api.CHAT, BODY, Limits()), headers={}, pinned=None, subset=None)


@dataclass
class Stack:
    director: Director
    client: openai.AsyncOpenAI
    crowd: list[Exchange]

    def ask(self) -> "asyncio.Task[str | None]":
        return asyncio.create_task(self._ask())

    async def held(self, count: int) -> None:
        for _ in range(500):
            if len(self.director.holding.queue) == count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.director.holding.queue)} wait, not {count}")

    async def _ask(self) -> str | None:
        raw = await self.client.chat.completions.with_raw_response.create(
            model="large", messages=[{"role": "user", "content": "hi"}]
        )
        return raw.headers.get(wire.MODEL)


@pytest.fixture
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Serve a pool whose every slot is taken, with room for one in the queue."""
    async with AsyncExitStack() as whole:
        addresses = {name: await whole.enter_async_context(engine(name)) for name in ("small", "large")}
        made = director(**addresses, flow_control=HoldLimits(max_requests=1), clock=time.monotonic)  # type: ignore[arg-type]
        url = await whole.enter_async_context(served(made, tmp_path_factory.mktemp("envoy")))
        client = await whole.enter_async_context(openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0))
        yield Stack(made, client, [await made.choose(CROWD) for _ in range(2 * SLOTS)])


async def test_held_refused_and_left(stack: Stack) -> None:
    """One request waits, the next gets 429 and when to come back, the wait ends in an answer or with the client."""
    waits = stack.ask()
    await stack.held(1)

    with pytest.raises(openai.RateLimitError) as refused:
        await stack.ask()
    headers = refused.value.response.headers
    assert (headers[wire.DROPPED_REASON], refused.value.code) == ("rejected-saturated", "rate_limit_exceeded")
    assert 1 <= int(headers[wire.RETRY_AFTER]) <= 60

    stack.crowd[0].close()
    assert await waits == "large"

    await stack.director.choose(CROWD)
    leaves = stack.ask()
    await stack.held(1)
    leaves.cancel()
    await stack.held(0)
