"""What endpoint pickers cost behind the real Envoy: `python -m chimera_bench.load`.

Envoy alone, this picker by transport and by how much of answers it looks at, and the Go picker where `GO_PICKER` names
its program, one after the other, in several rounds. `make bench` runs it in a few minutes; see docs/performance.md.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop
from rich.console import Console

from chimera_bench.load import cases, pickers, session
from chimera_bench.load.markdown import markdown
from chimera_bench.load.plot import plot
from chimera_bench.load.session import Plan, Record
from chimera_bench.load.summary import summarise
from chimera_bench.load.tables import CAPTION, other_load, tables
from chimera_operator.local.errors import LocalError

PICKERS = (pickers.FLOOR, "native-observe", "native-skip", "grpc-observe")
CASES = ("json1k", "json100k", "sse100")

_SECONDS, _ROUNDS = 2.0, 2  # a few minutes in all; for figures to be published take 4 and 5 on a quiet machine
_HELD, _IDLE = 2000, 100
_WIDTH = 120  # columns


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print; exit 2 with one line where that is not possible."""
    told = _parser().parse_args(argv)
    try:
        record = uvloop.run(session.run(_plan(told), tell=_tell))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    _show(record)
    if told.json:
        told.json.write_text(json.dumps(asdict(record), indent=1))
    if told.markdown:
        told.markdown.write_text(markdown(record))
    if told.plot:
        plot(summarise(record.measurements), told.plot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.load", description=__doc__)
    parser.add_argument("--pickers", type=_listed, default=_default_pickers(), help=f"default {','.join(PICKERS)}")
    parser.add_argument("--cases", type=_listed, default=CASES, help=f"of {','.join(cases.CASES)}")
    parser.add_argument("--modes", type=_listed, default=(), help="c16: connections, r100: requests a second")
    parser.add_argument("--secs", type=float, default=_SECONDS, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="times that all is measured")
    parser.add_argument("--held", type=int, default=_HELD, help="streams held open; 0 leaves that out")
    parser.add_argument("--idle", type=int, default=_IDLE, help="idle endpoints; 0 leaves that out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables for a page")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them")
    return parser


def _plan(told: argparse.Namespace) -> Plan:
    asked = [cases.case(name) for name in told.cases]
    return Plan(
        pickers={name: pickers.picker(name) for name in told.pickers},
        loads=[(case, cases.mode(name)) for case in asked for name in told.modes or case.modes],
        seconds=told.secs,
        rounds=told.rounds,
        held=told.held,
        idle_endpoints=told.idle,
    )


def _default_pickers() -> tuple[str, ...]:
    return (*PICKERS, pickers.GO) if os.environ.get(pickers.GO_PICKER) else PICKERS


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _tell(step: str) -> None:
    sys.stderr.write(f"{step}\n")


def _show(record: Record) -> None:
    console = Console(width=_WIDTH)
    for table in tables(record):
        console.print(table)
    console.print(CAPTION)
    console.print(other_load(record))


if __name__ == "__main__":
    main()
