"""Row 4: an engine is killed in the middle of its answers."""

import asyncio
import signal

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Ground, ground
from chimera_bench.chaos.outage import Outage
from chimera_bench.load.cases import Case, Open
from chimera_bench.load.client import clock
from chimera_bench.load.waiting import until, until_awaited
from chimera_router.engines.pacing import FAST

_LONG = Case(name="long", body=1000, chunks=600, gap=0.1)  # a minute: none of these ends by itself
_TRAFFIC = Open(20.0)  # requests a second that come meanwhile
_SECONDS = 4.0  # of them
_ERROR = 2.0  # seconds within which clients are to know
_LIMIT = 10.0  # seconds for what has to become true at all


async def bereft(*, streams: int = 40) -> list[Finding]:
    """Kill the engine that has the most of so many open streams."""
    async with ground() as pool:
        load, new = pool.load(_LONG), pool.load()
        for _ in range(streams):
            load.ask(clock())
        await until(lambda: load.answering == streams, what="all streams are answered", seconds=_LIMIT)
        traffic = asyncio.create_task(new.run(_TRAFFIC, _SECONDS))
        await asyncio.sleep(_SECONDS / 4)
        there = [await _in_flight(pool, number) for number in range(len(pool.engines))]
        victim = there.index(max(there))
        at = clock()
        pool.engines[victim].signal(signal.SIGKILL)
        out, emptied = await asyncio.gather(_until_out(pool, victim), _until_empty(pool, victim))
        seen = Outage.of(await traffic, at)
        lost = [sample.ended - at for sample in load.samples if not sample.good]
        await load.drain(0.0)
        settled = await pool.pickers[0].settle()
    return [
        Finding(
            row="4a",
            fault=f"kill -9 of an engine with {max(there):.0f} of {streams} open streams",
            rule=f"their clients know within {_ERROR:g} s, nothing stays in flight, there or at the end anywhere",
            figure=f"{len(lost)} clients knew after at most {max(lost, default=0.0):.2f} s; in flight there 0 after "
            f"{emptied:.2f} s, everywhere {settled:.2f} s after the last",
            passed=len(lost) == round(max(there)) and max(lost, default=0.0) < _ERROR,
        ),
        Finding(
            row="4b",
            fault=f"the same, {_TRAFFIC.rate:g} new requests/s",
            rule=f"out of rotation within one question for its load ({FAST:g} s)",
            figure=f"out after {out:.2f} s; {seen}",
            passed=out < FAST and seen.recovery < FAST,
        ),
    ]


async def _in_flight(pool: Ground, engine: int) -> float:
    return await pool.pickers[0].metric("chimera_in_flight_requests", endpoint=f"e{engine}")


async def _until_out(pool: Ground, engine: int) -> float:
    async def out() -> bool:
        return await pool.pickers[0].metric("chimera_endpoint_ready", endpoint=f"e{engine}") == 0

    return await until_awaited(out, what="the engine is out of rotation", seconds=_LIMIT)


async def _until_empty(pool: Ground, engine: int) -> float:
    async def empty() -> bool:
        return await _in_flight(pool, engine) == 0

    return await until_awaited(empty, what="nothing is in flight there", seconds=_LIMIT)
