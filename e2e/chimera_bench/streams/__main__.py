"""Measure and print: `python -m chimera_bench.streams`, for both transports one after the other."""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from chimera_bench.idle_picker import idle_picker, running
from chimera_bench.streams.at_once import Crowd, open_at_once
from chimera_bench.streams.given_up import Storm, give_up
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.rendering.envoy import LOOPBACK
from chimera_router.transports import Transport

ENGINES = 4


async def measure(transport: str, *, streams: int, cancelled: int, rate: float, before: float) -> tuple[Crowd, Storm]:
    """Return what a picker with this transport makes of both, a new process for each."""
    async with _engines() as ports:
        async with idle_picker(ports, "--transport", transport) as picker:
            crowd = await open_at_once(picker, streams)
        async with idle_picker(ports, "--transport", transport) as picker:
            storm = await give_up(picker, cancelled, rate=rate, before=before)
    return crowd, storm


@asynccontextmanager
async def _engines() -> AsyncIterator[Sequence[int]]:
    ports = free_ports(ENGINES)
    argv = (sys.executable, "-m", "chimera_bench.metrics_stand_in", *map(str, ports))
    async with running(Command(name="engines", argv=argv, ready_url=f"http://{LOOPBACK}:{ports[-1]}/metrics")):
        yield ports


def quantile(waits: Sequence[float], share: float) -> float:
    """Return the milliseconds within which this share of the waits were over; 0 where there are none."""
    return (
        1e3 * statistics.quantiles(waits, n=1000, method="inclusive")[round(1000 * share) - 1]
        if len(waits) > 1
        else 0.0
    )


def table(found: dict[str, tuple[Crowd, Storm]]) -> Table:
    """Return the figures, a column for each transport."""
    shown = Table(title="Streams by the thousand, on one connection")
    shown.add_column("what")
    rows: dict[str, list[str]] = {}
    for transport, (crowd, storm) in found.items():
        shown.add_column(transport, justify="right")
        for name, value in (*_crowd(crowd).items(), *_storm(storm).items()):
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        shown.add_row(name, *values)
    return shown


def _crowd(crowd: Crowd) -> dict[str, str]:
    return {
        "opened at once": f"{crowd.streams}",
        "answered": f"{len(crowd.waits) - crowd.refused}",
        "first answer p50, p99 (ms)": f"{quantile(crowd.waits, 0.5):.0f}, {quantile(crowd.waits, 0.99):.0f}",
        "memory of each while it is held (KiB)": f"{crowd.held_kb:.1f}",
    }


def _storm(storm: Storm) -> dict[str, str]:
    quiet, during = [
        f"{quantile(waits, 0.5):.1f}, {quantile(waits, 0.99):.1f}" for waits in (storm.quiet, storm.during)
    ]
    return {
        "given up": f"{storm.cancelled}",
        "a second": f"{storm.cancelled / storm.seconds:.0f}",
        "others' p50, p99 before (ms)": quiet,
        "others' p50, p99 during (ms)": during,
        "others lost": f"{storm.lost}",
        "memory that the second half added (KiB)": f"{storm.growth / 1024:.0f}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=5_000, help="opened in the same instant")
    parser.add_argument("--cancelled", type=int, default=50_000, help="opened and given up")
    parser.add_argument("--rate", type=float, default=1_000.0, help="of those, a second")
    parser.add_argument("--before", type=float, default=10.0, help="seconds without a storm, to compare with")
    parser.add_argument("--transport", action="append", choices=list(Transport), help="only this; may be repeated")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    told = vars(parser.parse_args())
    as_json, transports = told.pop("json"), told.pop("transport") or list(Transport)
    found = {str(transport): asyncio.run(measure(transport, **told)) for transport in transports}
    if as_json:
        Console().print_json(json.dumps({name: [asdict(part) for part in parts] for name, parts in found.items()}))
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
