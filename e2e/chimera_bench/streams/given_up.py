"""A gateway whose clients give up by the ten thousand, beside others on the same connection that wait."""

import asyncio
import time
from dataclasses import dataclass, field

from chimera_bench.idle_picker import IdlePicker
from chimera_bench.streams import messages
from chimera_bench.streams.link import Exchange, Link

HEALTHY = 50.0  # requests a second whose clients wait
BATCH = 20  # streams that are opened in one write; in the next they are given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What was measured.

    Attributes:
        cancelled: Streams that were given up.
        seconds: That took.
        quiet: Seconds to the answers of those who waited, before it.
        during: The same, during it.
        lost: Requests without an answer, of those who waited.
        growth: Bytes of memory that the second half of it added.
    """

    cancelled: int
    seconds: float
    quiet: list[float]
    during: list[float]
    lost: int
    growth: int


@dataclass(slots=True)
class Healthy:
    """Requests at a steady rate. Engines answer as soon as they are asked."""

    link: Link
    waits: list[float] = field(default_factory=list)
    sent: int = 0

    async def run(self) -> None:
        """Ask until cancelled, whether or not there was an answer."""
        self.link.heard = self._heard
        due = time.perf_counter()
        while True:
            due += 1.0 / HEALTHY
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.sent += 1
            self.link.open[self.link.begin(messages.request(self.sent))].awaited = True
            self.link.flush()

    def _heard(self, number: int, exchange: Exchange) -> None:
        if exchange.awaited and exchange.received:
            exchange.awaited = False
            self.waits.append(exchange.answered - exchange.opened)
            self.link.say(number, messages.answer())

    def taken(self) -> list[float]:
        """Return the waits since this was last asked."""
        waits, self.waits = self.waits, []
        return waits


async def give_up(picker: IdlePicker, streams: int, *, rate: float, before: float) -> Storm:
    """Measure those who wait for so many seconds, and then while so many others are given up, so many a second."""
    link = await Link.to(picker.grpc_port)
    healthy = Healthy(link)
    asking = asyncio.create_task(healthy.run())
    await asyncio.sleep(before)
    quiet, began = healthy.taken(), time.perf_counter()
    await _storm(link, streams // 2, rate)
    half = picker.resident_bytes()
    await _storm(link, streams - streams // 2, rate)
    took, growth = time.perf_counter() - began, picker.resident_bytes() - half
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.sleep(1.0)  # for the last answers
    during = healthy.taken()
    await picker.settled()
    link.close()
    lost = healthy.sent - len(quiet) - len(during)
    return Storm(cancelled=streams, seconds=took, quiet=quiet, during=during, lost=lost, growth=growth)


async def _storm(link: Link, streams: int, rate: float) -> None:
    due, last = time.perf_counter(), list[int]()
    for first in range(0, streams, BATCH):
        due += BATCH / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while link.behind and link.goodbye is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        for number in last:
            link.give_up(number)
        last = [link.begin(messages.request(first + each)) for each in range(min(BATCH, streams - first))]
        link.flush()
    for number in last:
        link.give_up(number)
    link.flush()
