"""Row 1: a picker is killed under load; with one replica or two, failing closed or open."""

import asyncio
import math
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.gateways import Edit, checking_health, detecting_outliers, failing_open
from chimera_bench.chaos.ground import Ground, Site, ground
from chimera_bench.chaos.outage import Outage
from chimera_bench.load import engine, pool
from chimera_bench.load.cases import Open
from chimera_bench.load.client import clock
from chimera_operator.local.ports import free_ports
from chimera_operator.rendering.envoy import DESTINATION, LOOPBACK

HANG = 2.0  # seconds after which a client would say that it hangs
_BEFORE = 1.0  # seconds of load before the fault
_AWAY = 2.0  # seconds until the picker is started again: longer than its health takes to be found out
_AFTER = 3.0  # seconds of load once it serves again
_QUIET = 1.0  # of them without a failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to kill."""

    row: str
    replicas: int
    open: bool = False
    edits: tuple[Edit, ...] = ()

    @property
    def fault(self) -> str:
        """What is done, in words."""
        count = "the only picker" if self.replicas == 1 else f"one of {self.replicas} pickers"
        noticed = "health checks and failed connections" if self.edits else "health checks every 0.5 s"
        return f"kill -9 of {count}, failing {'open' if self.open else 'closed'}, noticed by {noticed}"


WAYS = (
    Way(row="1a", replicas=1),
    Way(row="1b", replicas=2),
    Way(row="1c", replicas=2, edits=(detecting_outliers,)),
    Way(row="1d", replicas=1, open=True),
    Way(row="1e", replicas=1, open=True, edits=(detecting_outliers,)),
    Way(row="1f", replicas=2, open=True, edits=(detecting_outliers,)),
)


async def killed(*, ways: Sequence[Way] = WAYS, rate: float = 100.0) -> list[Finding]:
    """Kill a picker in each of the ways under so many requests a second, and start it again."""
    return [await _killed(way, rate) for way in ways]


async def _killed(way: Way, rate: float) -> Finding:
    async with AsyncExitStack() as stack:
        *members, stranger = await engine.serve(stack, free_ports(len(pool.PLACES) + 1))
        ports = [member.port for member in members]
        edits = (checking_health, *way.edits, *([failing_open(ports)] if way.open else []))
        site = Site(pickers=way.replicas, engines=ports, edits=edits)
        serving = await stack.enter_async_context(ground(site))
        outage, away, watched = await _outage(serving, stranger.port, rate)
    clean = stranger.served == 0 and set(outage.statuses) <= set(range(500, 600)) and outage.slowest < HANG
    served = "; members of the pool served all others, a forged destination got nothing" if way.open else ""
    return Finding(
        row=way.row,
        fault=f"{way.fault}, {rate:g} requests/s",
        rule=f"only 5xx, no hang (under {HANG:g} s), recovers{', only members serve' if way.open else ''}",
        figure=f"{outage}; it was away for {away:.2f} s{served if stranger.served == 0 else '; A STRANGER SERVED'}",
        passed=clean and outage.recovery < watched - _QUIET,
    )


async def _outage(serving: Ground, stranger: int, rate: float) -> tuple[Outage, float, float]:
    """Kill the first picker under load whose clients name somebody else's port as the destination.

    Returns:
        What they saw; the seconds from the fault until the picker served again, and for which it was watched.
    """
    load = serving.load(headers=f"{DESTINATION}: {LOOPBACK}:{stranger}\r\n")
    running = asyncio.create_task(load.run(Open(rate), math.inf))
    await asyncio.sleep(_BEFORE)
    at = clock()
    serving.pickers[0].signal(signal.SIGKILL)
    await asyncio.sleep(_AWAY)
    await serving.pickers[0].start()
    away = clock() - at
    await asyncio.sleep(_AFTER)
    load.stop()
    return Outage.of(await running, at), away, clock() - at
