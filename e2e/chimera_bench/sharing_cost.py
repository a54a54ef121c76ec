"""What it adds to a decision that pickers share their workflows: `python -m chimera_bench.sharing_cost --url URL`.

Two program tables in this process share through the server at URL, by the picker's own code. Every later stage of a
workflow comes to the table that did not serve the one before, so that each is looked up and found: the dearest case.
Timed is what sharing adds before the decision: to see what must be asked, to ask, to take up the answer. Beside it
stands a bare PING by the same client library at the same rate: what machine, library and server take in any case.
"""

import argparse
import asyncio
import itertools
import random
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import uvloop
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from chimera_router.parsing.messages import Message
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.scheduling.types import Assignment
from chimera_router.sharing import settings
from chimera_router.sharing.opening import opened
from chimera_router.sharing.settings import SharingSettings
from chimera_router.sharing.workflows import RemoteWorkflows
from chimera_router.telemetry import logs
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import ProgramTable

RATES = (50.0, 200.0, 500.0)  # requests a second, of both tables together
SECONDS = 10.0  # for each rate
PATIENCE = 1.0  # seconds; what is asked here is how long look-ups take, and how many would have been late
WORKFLOWS = 100  # under way at once
STAGES = 8  # of each

_PLACE = Assignment(model="model", endpoint="10.0.0.1:8000", seen_tokens=300)

Request = Callable[[], Awaitable[float]]
"""Returns the seconds that it took."""


@dataclass(slots=True)
class _Picker:
    shared: RemoteWorkflows
    table: ProgramTable = field(default_factory=lambda: ProgramTable(new_id=lambda: f"wf-{secrets.token_hex(8)}"))

    def __post_init__(self) -> None:
        self.table.changed = self.shared.tell

    async def serve(self, messages: Sequence[Message], reply: str) -> float:
        """Take a request and answer it; return the seconds that sharing has added before the decision."""
        asked = Conversation.of(messages, tenant="")
        began = time.perf_counter()
        lookup = self.table.lookup(asked, None)
        if lookup is not None:
            self.table.adopt("", await self.shared.look_up(lookup), time.monotonic())
        seconds = time.perf_counter() - began
        program = self.table.arrive(asked, now=time.monotonic()).program
        self.table.assign(program, _PLACE, confidence=0.5, corrected=0.5, request_id=secrets.token_hex(8))
        await asyncio.sleep(0)  # the answer comes later: the decision is told by itself
        self.table.remember(program, asked, Answer((Reply(reply),)), _PLACE)
        self.table.finish(program, output_tokens=100)
        self.table.leave(program, time.monotonic())
        return seconds


@dataclass(slots=True)
class _Workflow:
    """Asks one picker and then the other, and begins anew after its last stage."""

    pickers: Sequence[_Picker]
    messages: tuple[Message, ...] = ()
    stage: int = 0

    async def next(self) -> float:
        messages = self.messages or (Message("user", f"task {secrets.token_hex(8)}"),)
        reply = f"stage {self.stage}: {secrets.token_hex(64)}"
        self.stage = (self.stage + 1) % STAGES
        self.messages = (*messages, Message("assistant", reply), Message("user", "next")) if self.stage else ()
        return await self.pickers[self.stage % 2].serve(messages, reply)


async def lookups(url: str, rate: float, seconds: float) -> list[float]:
    """Return the seconds that sharing adds to requests; to a first stage nothing."""
    told = SharingSettings(url=url, password=None, secret=secrets.token_bytes(16), deadline=PATIENCE)
    async with AsyncExitStack() as stack:
        pickers = []
        for _ in range(2):
            shared = opened(told, pool="bench", clock=time.monotonic, wall=time.time, registry=CollectorRegistry())
            pickers.append(_Picker(await stack.enter_async_context(shared)))
        await asyncio.sleep(0.5)  # until both are connected
        workflows = itertools.cycle([_Workflow(pickers) for _ in range(WORKFLOWS)])
        return await _play(lambda: next(workflows).next(), rate, seconds)


async def pings(url: str, rate: float, seconds: float) -> list[float]:
    """Return the seconds that PINGs take."""
    async with Redis.from_url(url, protocol=2) as client:

        async def ping() -> float:
            began = time.perf_counter()
            await client.ping()
            return time.perf_counter() - began

        return await _play(ping, rate, seconds)


async def _play(request: Request, rate: float, seconds: float) -> list[float]:
    """Return what requests took that came at random moments, whether or not those before had ended."""
    draw = random.Random(1)  # noqa: S311 - arrivals
    took: list[float] = []

    async def one() -> None:
        took.append(await request())

    began = moment = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while moment - began < seconds:
            moment += draw.expovariate(rate)
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            group.create_task(one())
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.sharing_cost", description=__doc__)
    parser.add_argument("--url", required=True, help="of a Valkey or Redis server without a password")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="requests a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each rate")
    arguments = parser.parse_args()
    table = Table(title=f"{STAGES} stages a workflow, each at another picker than the one before")
    for heading in ("", "requests/s", "p50 µs", "p95 µs", "p99 µs", "CPU µs", "past the deadline"):
        table.add_column(heading, justify="right" if heading else "left")
    for (what, work), rate in itertools.product({"look-up": lookups, "PING": pings}.items(), arguments.rates):
        spent = time.process_time()
        took = uvloop.run(work(arguments.url, rate, arguments.seconds))
        table.add_row(what, f"{rate:.0f}", *_figures(took, time.process_time() - spent))
    Console().print(table)


def _figures(took: Sequence[float], cpu: float) -> tuple[str, ...]:
    cuts = statistics.quantiles(took, n=100)
    late = sum(seconds > settings.DEADLINE for seconds in took) / len(took)
    return (
        *(f"{cuts[percent - 1] * 1e6:.0f}" for percent in (50, 95, 99)),
        f"{cpu / len(took) * 1e6:.0f}",
        f"{late:.2%}",
    )


if __name__ == "__main__":
    logs.configure("error")
    main()
