"""What a picker without traffic costs: `python -m chimera_bench.idle_cost --endpoints 100`.

A process stands in for idle vLLM engines (`metrics_stand_in`) and is not counted. Measured are a whole picker process,
and the scraper alone in this process at two paces: the picker's own, and every 50 ms for each endpoint, which is what
the Go picker (llm-d-router) does. Ratios are to the latter, in the same run.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from chimera_bench.idle_picker import idle_picker, running
from chimera_bench.metrics_stand_in import page
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.rendering.envoy import LOOPBACK
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.engine_client import open_session
from chimera_router.datalayer.scraper import Scraper
from chimera_router.engines.belief import Witness
from chimera_router.engines.pacing import DEFAULT_PACE, SLOW, Pace
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Outcome
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import Endpoint

EVERY_50_MS = Pace(fast=0.05, slow=0.05, retry=0.05)
SETTLING = 2 * SLOW + 1.0  # seconds until every engine is asked as rarely as it gets: intervals double from `FAST` on
READING_ROUNDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was measured over a while.

    Attributes:
        cores: Processor seconds a second.
        scrapes: Questions to engines a second.
    """

    name: str
    cores: float
    scrapes: float

    @property
    def scrape_us(self) -> float:
        """Microseconds of processor time a scrape, all else that the process does included."""
        return 1e6 * self.cores / self.scrapes if self.scrapes else 0.0


async def measure(endpoints: int, seconds: float, *, settling: float = SETTLING) -> list[Cost]:
    """Return what idle engines cost: a whole picker, the scraper at its own pace and at the Go picker's.

    Args:
        endpoints: How many engines.
        seconds: That each measurement takes.
        settling: Seconds before each.

    Raises:
        LocalError: A process could not be started.
    """
    async with stand_in(endpoints) as ports:
        return [
            await _whole_picker(ports, seconds, settling),
            await _scraper("scraper", ports, DEFAULT_PACE, seconds, settling),
            await _scraper("scraper, every 50 ms", ports, EVERY_50_MS, seconds, settling=1.0),
        ]


def reading_us(rounds: int = READING_ROUNDS) -> float:
    """Return the microseconds that finding the load on a page of 100 KB takes."""
    body, witness = page(), Witness(VLLM)
    started = time.perf_counter()
    for number in range(rounds):
        witness.hear(body, float(number))
    return 1e6 * (time.perf_counter() - started) / rounds


@asynccontextmanager
async def stand_in(endpoints: int) -> AsyncIterator[Sequence[int]]:
    """Run so many idle engines in a process; yield their ports.

    Raises:
        LocalError: It could not be started.
    """
    ports = free_ports(endpoints)
    argv = (sys.executable, "-m", "chimera_bench.metrics_stand_in", *map(str, ports))
    async with running(Command(name="engines", argv=argv, ready_url=f"http://{LOOPBACK}:{ports[-1]}/metrics")):
        yield ports


async def _whole_picker(ports: Sequence[int], seconds: float, settling: float) -> Cost:
    async with idle_picker(ports) as picker:
        await asyncio.sleep(settling)
        before = await picker.scrapes()
        spent = await _spent(picker.processor_seconds, seconds)
        scrapes = await picker.scrapes() - before
    return Cost(name="whole picker", cores=spent, scrapes=scrapes / seconds)


async def _spent(processor_seconds: Callable[[], float], seconds: float) -> float:
    """Return the processor seconds a second over a while."""
    before, started = processor_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (processor_seconds() - before) / (time.perf_counter() - started)


async def _scraper(name: str, ports: Sequence[int], pace: Pace, seconds: float, settling: float) -> Cost:
    datastore, asked = Datastore(Ledger()), Counter[Outcome]()
    datastore.replace(Endpoint(name=str(port), address=f"{LOOPBACK}:{port}", model="m") for port in ports)
    async with open_session() as session:
        scraper = Scraper(
            datastore,
            session,
            clock=time.monotonic,
            profile_of=lambda _: VLLM,
            on_scrape=lambda outcome, _: asked.update([outcome]),
            pace=pace,
        )
        asking = asyncio.create_task(scraper.run())
        await asyncio.sleep(settling)
        before = asked.total()
        spent = await _spent(time.process_time, seconds)
        asking.cancel()
        await asyncio.wait([asking])
    return Cost(name=name, cores=spent, scrapes=(asked.total() - before) / seconds)


def table(costs: Sequence[Cost], endpoints: int, *, reading: float) -> Table:
    """Return the figures as a table; the last row is what the others are held against."""
    caption = f"Finding the load on a page of 100 KB: {reading:.0f} µs."
    table = Table(title=f"{endpoints} idle endpoints", caption=caption, caption_justify="left")
    table.add_column("what")
    for heading in ("% of a core", "scrapes a second", "µs a scrape", "ratio to every 50 ms"):
        table.add_column(heading, justify="right")
    for cost in costs:
        ratio = f"{cost.cores / costs[-1].cores:.3f}"
        table.add_row(cost.name, f"{100 * cost.cores:.2f}", f"{cost.scrapes:.0f}", f"{cost.scrape_us:.0f}", ratio)
    return table


def print_json(costs: Sequence[Cost], *, reading: float) -> None:
    """Print the figures as JSON."""
    Console().print_json(json.dumps({"reading_us": reading, "costs": [asdict(cost) for cost in costs]}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.idle_cost", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=100, help="idle engines")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each of the three measurements")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    costs, reading = asyncio.run(measure(arguments.endpoints, arguments.seconds)), reading_us()
    if arguments.json:
        print_json(costs, reading=reading)
    else:
        Console().print(table(costs, arguments.endpoints, reading=reading))


if __name__ == "__main__":
    main()
