"""Row 3: a picker is frozen, and thawed."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.gateways import Edit, buffered, impatient, pinging
from chimera_bench.chaos.ground import Site, ground
from chimera_bench.chaos.outage import Outage
from chimera_bench.load import engine, pool
from chimera_bench.load.cases import Open
from chimera_bench.load.client import clock
from chimera_operator.local.ports import free_ports

_PATIENCE = 0.5  # seconds of `message_timeout`
_BEFORE = 1.0  # seconds of load before the fault, and as long again after it
_RECOVERED = 0.8  # seconds after SIGCONT by which all is served again
_LATE = 0.5  # seconds that a busy machine may add


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How Envoy notices.

    Attributes:
        notices: In words.
        within: Seconds after which it has.
    """

    row: str
    notices: str
    edits: tuple[Edit, ...]
    within: float


WAYS = (
    Way(
        row="3a",
        notices=f"buffered bodies, message_timeout {_PATIENCE:g} s",
        edits=(buffered, impatient(_PATIENCE)),
        within=_PATIENCE,
    ),
    # Envoy 1.40 keeps no time for messages in full duplex; what it has there is a ping on the connection.
    Way(
        row="3b",
        notices="full duplex, pinged every second with half a second to answer",
        edits=(pinging(1.0),),
        within=1.5,
    ),
)


async def frozen(*, ways: Sequence[Way] = WAYS, rate: float = 50.0, seconds: float = 4.0) -> list[Finding]:
    """Freeze the picker for a while under load.

    Args:
        ways: How Envoy notices.
        rate: Requests a second.
        seconds: For which it is frozen.
    """
    return [await _frozen(way, rate, seconds) for way in ways]


async def _frozen(way: Way, rate: float, seconds: float) -> Finding:
    async with AsyncExitStack() as stack:
        engines = await engine.serve(stack, free_ports(len(pool.PLACES)))
        site = Site(engines=[each.port for each in engines], edits=way.edits)
        serving = await stack.enter_async_context(ground(site))
        load, picker = serving.load(), serving.pickers[0]
        running = asyncio.create_task(load.run(Open(rate), seconds + 3 * _BEFORE))
        await asyncio.sleep(_BEFORE)
        at = clock()
        picker.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        thawed = clock()
        picker.signal(signal.SIGCONT)
        samples = await running
        settled = await picker.settle()
    during, after = Outage.of(samples, at), Outage.of(samples, thawed + _RECOVERED)
    served, answered = sum(each.served for each in engines), sum(sample.good for sample in samples)
    caught = sum(
        sample.due < at <= sample.ended for sample in samples
    )  # whose answers the picker had not yet passed on
    in_time = during.failed > 0 and during.slowest < way.within + _LATE
    return Finding(
        row=way.row,
        fault=f"SIGSTOP of the picker for {seconds:g} s; {way.notices}",
        rule="requests fail in time, late answers reach nobody, and after SIGCONT all is served and nothing held",
        figure=f"{during}; engines got {served} requests, clients {answered} answers; idle {settled:.2f} s later",
        passed=in_time and after.failed == 0 and answered <= served <= answered + caught,
    )
