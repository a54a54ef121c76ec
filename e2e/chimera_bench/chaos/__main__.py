"""Faults that are really made, and what becomes of the requests: `python -m chimera_bench.chaos`.

Rows 1 to 6 and 15 to 17 of the faults that this project answers for; `make chaos` runs them all in about ten minutes.
Pickers, Envoy and engines are processes that are killed, stopped and frozen; the engines are stand-ins.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop
from rich import box
from rich.console import Console
from rich.table import Table

from chimera_bench.chaos.bereft import bereft
from chimera_bench.chaos.cancelled import cancelled
from chimera_bench.chaos.drained import drained
from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.frozen import frozen
from chimera_bench.chaos.killed import killed
from chimera_bench.chaos.lied_to import lied_to
from chimera_bench.chaos.malformed import malformed
from chimera_bench.chaos.mispredicted import mispredicted, slowed
from chimera_bench.chaos.repeated import repeated
from chimera_bench.chaos.scaled import scaled
from chimera_bench.chaos.slow import slow
from chimera_bench.load import processes
from chimera_operator.local.errors import LocalError

Script = Callable[[], Awaitable[list[Finding]]]

ROWS: Mapping[str, Sequence[Script]] = {
    "1": (killed,),
    "2": (drained,),
    "3": (frozen,),
    "4": (bereft,),
    "5": (lied_to,),
    "6": (scaled,),
    "15": (malformed, repeated),
    "16": (slow, cancelled),
    "17": (mispredicted, slowed),
}

_WIDTH = 160  # columns


def main(argv: Sequence[str] | None = None) -> None:
    """Make the faults and print the table; exit 1 where a rule did not hold."""
    told = _parser().parse_args(argv)
    began, busy = time.perf_counter(), processes.busy_seconds()
    findings = uvloop.run(run(told.rows, tell=_tell))
    others = (processes.busy_seconds() - busy - _own_seconds()) / (time.perf_counter() - began)
    Console(width=_WIDTH).print(table(findings, others=max(0.0, others)))
    if told.json:
        told.json.write_text(json.dumps([asdict(finding) for finding in findings], indent=1))
    sys.exit(0 if all(finding.passed for finding in findings) else 1)


async def run(
    rows: Sequence[str], *, tell: Callable[[str], None], scripts: Mapping[str, Sequence[Script]] = ROWS
) -> list[Finding]:
    """Make the faults of some rows, one after the other; `tell` hears of each script before it begins."""
    found = []
    for row in rows:
        for script in scripts[row]:
            tell(f"row {row}: {getattr(script, '__name__', script)}")
            found += await _made(row, script)
    return found


def table(findings: Sequence[Finding], *, others: float) -> Table:
    """Return the findings for people; `others` are the cores that were busy with other work meanwhile."""
    caption = f"Engines are stand-ins. Other work took {others:.1f} cores of this machine meanwhile."
    result = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    for heading in ("row", "what was done", "what has to hold", "what was measured", ""):
        result.add_column(heading)
    for each in findings:
        result.add_row(each.row, each.fault, each.rule, each.figure, "holds" if each.passed else "DOES NOT HOLD")
    return result


async def _made(row: str, script: Script) -> list[Finding]:
    """Run a script; where its conditions never come about, that is what it has found."""
    try:
        return await script()
    except LocalError as error:
        return [Finding(row=row, fault=str(script.__doc__).splitlines()[0], rule="", figure=str(error), passed=False)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.chaos", description=__doc__)
    parser.add_argument("--rows", type=_listed, default=tuple(ROWS), help=f"of {','.join(ROWS)}; default all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    return parser


def _listed(text: str) -> tuple[str, ...]:
    rows = tuple(part.strip() for part in text.split(","))
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]}")
    return rows


def _own_seconds() -> float:
    """Return the processor time of this process and of those that it has started, all of which have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _tell(step: str) -> None:
    sys.stderr.write(f"{step}\n")


if __name__ == "__main__":
    main()
