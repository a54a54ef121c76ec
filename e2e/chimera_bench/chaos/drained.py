"""Row 2: a picker is asked to stop while streams are open and requests come in."""

import asyncio
import signal

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.gateways import checking_health
from chimera_bench.chaos.ground import Site, ground
from chimera_bench.chaos.outage import Outage
from chimera_bench.load.cases import Case, Open
from chimera_bench.load.client import Load, clock
from chimera_bench.load.waiting import until

_OPENING = 30.0  # seconds for all streams to be answered
_GONE = 10.0  # seconds after its last stream by which a picker has ended
_TRAFFIC = Open(50.0)


async def drained(*, streams: int = 500, seconds: float = 5.0) -> list[Finding]:
    """Stop one of two pickers.

    Args:
        streams: Answers under way, over both.
        seconds: That they last at least, and for which other requests come in.
    """
    async with ground(Site(pickers=2, edits=(checking_health,))) as pool:
        case = Case(name="long", body=1000, chunks=round(10 * seconds), gap=0.1)
        long, short = pool.load(case), pool.load()
        await _open(long, streams)
        running = asyncio.create_task(short.run(_TRAFFIC, seconds))
        await asyncio.sleep(seconds / 5)
        at = clock()
        pool.pickers[0].signal(signal.SIGTERM)
        await asyncio.gather(running, long.drain())
        took = await until(lambda: pool.pickers[0].ended, what="the picker has ended", seconds=_GONE)
    open_, new = Outage.of(long.samples, at), Outage.of(short.samples, at)
    return [
        Finding(
            row="2a",
            fault=f"SIGTERM to one of two pickers with {streams} streams open",
            rule="none of them fails, and the picker ends after the last",
            figure=f"{open_}; it ended {took:.2f} s after the last one",
            passed=open_.failed == 0,
        ),
        Finding(
            row="2b",
            fault=f"the same, {_TRAFFIC.rate:g} new requests/s, health checks every 0.5 s",
            rule="none of them fails within the drain window",
            figure=str(new),
            passed=new.failed == 0,
        ),
    ]


async def _open(load: Load, streams: int) -> None:
    for _ in range(streams):
        load.ask(clock())
    await until(lambda: load.answering == streams, what=f"{streams} streams are answered", seconds=_OPENING)
