"""The number that the picker sends orders vLLM's queue."""

import asyncio

import aiohttp
import pytest
from real_engines import Served, ask, await_load, chat

from chimera_router.engines.types import Reading

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

SLOTS = 4  # `maxNumSeqs` of the pool
LONG, TOKENS = (
    24,
    1200,
)  # long requests, and tokens of each: six batches of seconds, as a busy machine stands still for seconds


@pytest.mark.parametrize(
    ("priority", "overtakes"),
    [(-9_000_000_000_000, True), (9_000_000_000_000, False)],
    ids=["sooner", "later"],
)
async def test_a_short_request_takes_its_place_by_its_number(
    real: Served, http: aiohttp.ClientSession, priority: int, *, overtakes: bool
) -> None:
    """It is sent last. Where more long ones are left than can run at once, it came before one that waits still."""
    url, ended = real.engines["less-tiny"], []

    async def ask_long() -> None:
        await ask(http, url, chat("less-tiny", tokens=TOKENS, priority=0))
        ended.append(None)

    def queue_stands(reading: Reading) -> bool:
        return reading.waiting >= 3 * SLOTS and reading.running + reading.waiting + len(ended) >= LONG

    async with asyncio.TaskGroup() as group:
        for _ in range(LONG):
            group.create_task(ask_long())
        await await_load(http, url, queue_stands)
        await ask(http, url, chat("less-tiny", tokens=2, priority=priority))
        left = LONG - len(ended)

    assert (left > SLOTS) is overtakes
