"""A round against a pool whose processes may end."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from bench_pools import fake_pool
from bench_workloads import at, run

from chimera_bench.replay.results import StageResult, WorkflowResult
from chimera_bench.replay.rounds import EngineKiller, PoolLost, play, settled

pytestmark = pytest.mark.anyio

QUICK, ENDLESS = run("S", (5, 6)), run("S", (100_000,))


@dataclass
class Pool:
    """A pool that fails when a test says so."""

    url: str = ""
    management_url: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    front: asyncio.Event = field(default_factory=asyncio.Event)
    engine: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_failed(self) -> str:
        await self.front.wait()
        return "envoy ended with code 1"

    async def lost_engines(self) -> AsyncIterator[str]:
        await self.engine.wait()
        yield "S-0 killed by SIGKILL"


def ignore(_result: WorkflowResult) -> None:
    """Take no notice."""


async def test_a_round_returns_the_results() -> None:
    """And leaves nothing waiting for the end of the pool."""
    before = asyncio.all_tasks()
    async with fake_pool({"S": [QUICK]}, lambda _: "S") as (url, _):
        results = await play(Pool(url), [at(0.0, QUICK)], speed=1.0, on_result=ignore)

    assert [result.model for result in results] == ["S"]
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("which", "sentence"), [("front", "envoy ended with code 1"), ("engine", "S-0 killed by SIGKILL")]
)
async def test_the_end_of_a_process_ends_the_round(which: str, sentence: str) -> None:
    """With the sentence that says which one, while workflows still wait for their answers."""
    async with fake_pool({"S": [ENDLESS]}, lambda _: "S") as (url, _):
        pool = Pool(url)
        asyncio.get_running_loop().call_later(0.1, getattr(pool, which).set)
        with pytest.raises(PoolLost, match=sentence):
            await play(pool, [at(0.0, ENDLESS)], speed=1.0, on_result=ignore)


async def test_engines_may_end_where_that_is_what_is_shown() -> None:
    """Then the round goes on without them."""
    async with fake_pool({"S": [QUICK]}, lambda _: "S") as (url, _):
        pool = Pool(url)
        pool.engine.set()
        results = await play(pool, [at(0.0, QUICK)], speed=1.0, on_result=ignore, engines_may_end=True)

    assert len(results) == 1


@pytest.fixture
def processes() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    sleepers = {
        name: subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for name in ("S-0", "L-0")
    }
    yield sleepers
    for sleeper in sleepers.values():
        sleeper.kill()
        sleeper.communicate()


def ended(model: str | None) -> WorkflowResult:
    return WorkflowResult(task_id="t", latency=1.0, stages=(StageResult(model=model),), success=True)


async def test_the_busiest_engine_is_killed_at_half_time(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Once, and not before half of the workflows have ended."""
    killer = EngineKiller({name: process.pid for name, process in processes.items()}, workflows=8)
    for model in ("S", "L", "L"):
        killer.observe(ended(model))
    assert killer.killed == ""

    for model in ("S", "L", "S", "S", "S"):
        killer.observe(ended(model))

    assert killer.killed in {"S-0", "L-0"}
    victim = processes.pop(killer.killed)
    assert await asyncio.to_thread(victim.wait, 10) == -signal.SIGKILL
    victim.communicate()
    assert all(process.poll() is None for process in processes.values())


async def in_flight_of(counts: list[int], *, seconds: float) -> int:
    """Ask a picker whose counts change with every look."""
    remaining = iter(counts)

    async def status(_request: web.Request) -> web.Response:
        return web.json_response({"models": [{"in_flight": next(remaining, counts[-1])}, {"in_flight": 0}]})

    application = web.Application()
    application.router.add_get("/chimera/v1/status", status)
    async with TestServer(application, host="127.0.0.1") as server:
        return await settled(Pool(management_url=f"http://127.0.0.1:{server.port}"), seconds=seconds)


async def test_a_picker_settles_when_nothing_is_in_flight() -> None:
    """It may take some looks."""
    assert await in_flight_of([3, 1, 0], seconds=10.0) == 0


async def test_a_picker_that_is_gone_is_a_lost_pool() -> None:
    """There is nobody left to ask."""
    with pytest.raises(PoolLost, match="picker does not answer"):
        await settled(Pool(management_url="http://127.0.0.1:1"))


async def test_a_picker_that_never_settles_is_reported() -> None:
    """With what it still counts after the time."""
    assert await in_flight_of([3, 2], seconds=0.15) == 2
