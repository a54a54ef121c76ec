"""Row 16: clients that cancel what they have asked for, in a storm."""

import asyncio

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import ground
from chimera_bench.chaos.healthy import CHANGE, compare
from chimera_bench.chaos.storm import Storm
from chimera_bench.load import processes
from chimera_bench.load.client import clock

_FEW, _MANY = 8, 64  # clients at once: beside healthy traffic, and where it is about speed
_GROWTH = 0.1  # share by which memory may grow
_FIRST = 0.2  # of the requests, after which memory is read: tables and buffers have then grown as they do


async def cancelled(*, requests: int = 50_000, seconds: float = 30.0) -> list[Finding]:
    """Cancel requests: some beside healthy traffic for so many seconds, then so many as fast as they can be sent."""
    async with ground() as pool:
        picker, storm = pool.pickers[0], Storm(pool.port)
        some = asyncio.create_task(storm.rage(requests, clients=_FEW))
        seen = await compare(pool, storm.raging, seconds)
        some.cancel()
        await asyncio.wait([some])
        beside, began = storm.cancelled, clock()
        await storm.rage(round(_FIRST * requests), clients=_MANY)
        memory = processes.resident_bytes(picker.pid)
        await storm.rage(round((1 - _FIRST) * requests), clients=_MANY)
        many, took = storm.cancelled - beside, clock() - began
        settled = await picker.settle()
        growth = processes.resident_bytes(picker.pid) / memory - 1.0
        unfinished, violations = (
            await picker.metric("chimera_answers_unfinished_total"),
            await picker.metric("chimera_protocol_violations_total"),
        )
    return [
        Finding(
            row="16d",
            fault=f"{beside} requests cancelled beside others, {2 * beside / seconds:.0f} a second in their turns",
            rule=f"healthy p99 grows by less than {CHANGE:.0%}",
            figure=str(seen),
            passed=seen.unharmed,
        ),
        Finding(
            row="16e",
            fault=f"{many} requests cancelled, {many / took:.0f} a second",
            rule=f"nothing is held afterwards, and memory grows by less than {_GROWTH:.0%}",
            figure=f"idle {settled:.2f} s later, {unfinished:.0f} of them after they were sent to an engine; "
            f"{violations:.0f} protocol violations; memory {growth:+.1%}",
            passed=not violations and growth < _GROWTH,
        ),
    ]
