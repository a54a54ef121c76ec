"""Every kind of request for a long while, and what stays behind: `python -m chimera_bench.soak`.

Small and large bodies, whole and streamed answers, known and new workflows, cancels and errors go through the real
Envoy and the picker, while its configuration and its list of endpoints change. `make soak` sends 24,000 requests.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich import box
from rich.console import Console
from rich.table import Table

from chimera_bench.soak.plot import plot
from chimera_bench.soak.run import GROWTH, WORKFLOWS, Soaked, soak
from chimera_operator.local.errors import LocalError

REQUESTS = 24_000
_ROWS = 8  # of readings shown
_WIDTH = 100  # columns


def main(argv: Sequence[str] | None = None) -> None:
    """Run it and print what was found; exit 1 where something stays behind, 2 where it cannot be run."""
    told = _parser().parse_args(argv)
    try:
        soaked = uvloop.run(soak(told.requests, fill=told.fill, tell=_tell))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    console = Console(width=_WIDTH)
    console.print(readings_table(soaked), verdicts(soaked))
    if told.json:
        told.json.write_text(json.dumps(soaked.document(), indent=1))
    if told.plot:
        plot(soaked.readings, told.plot)
    sys.exit(0 if soaked.passed else 1)


def readings_table(soaked: Soaked) -> Table:
    """Return memory over requests."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("requests", "memory MB", "workflows"):
        table.add_column(heading, justify="right")
    step = max(1, len(soaked.readings) // _ROWS)
    for each in (*soaked.readings[:-1:step], soaked.readings[-1]):
        table.add_row(str(each.requests), f"{each.resident * 1e-6:.1f}", str(each.workflows))
    return table


def verdicts(soaked: Soaked) -> Table:
    """Return what has to hold, and what was found."""
    sent = ", ".join(f"{count} {kind}" for kind, count in soaked.sent.items())
    reloads = ", ".join(f"{count:.0f} {result}" for result, count in soaked.reloads.items())
    table = Table(box=box.SIMPLE_HEAD, caption=f"Sent: {sent}. Files: {reloads}.", caption_justify="left")
    table.add_column("what has to hold")
    table.add_column("what was found")
    most = max(reading.workflows for reading in soaked.readings)
    table.add_row(f"memory grows by less than {GROWTH:.0%} over the last half", f"{soaked.growth:+.2%}")
    table.add_row("no stream is open at the end", f"{soaked.streams:.0f}")
    table.add_row("no token is in flight at the end", f"{soaked.tokens:.3g}")
    table.add_row(f"at most {WORKFLOWS} workflows are kept", str(most))
    table.add_row("every request goes as it has to", _failures(soaked))
    return table


def _failures(soaked: Soaked) -> str:
    return ", ".join(f"{count} × {what}" for what, count in soaked.failed.items()) or "all did"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of all kinds")
    parser.add_argument("--fill", type=int, default=WORKFLOWS, help="new workflows that come first, to fill the table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw memory over requests")
    return parser


def _tell(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    main()
