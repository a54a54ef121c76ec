"""Measure how surely workflows are found without headers: `python -m chimera_bench.identification`.

Recorded workflows of several tenants are interleaved at random, their requests go through the picker's own parsing and
program table with no header that names them, and each is held against the workflow that sent it. Some are run again,
begin several times at once, fail and are tried again, branch, or change their history, at the rates given.
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chimera_bench.identification.agents import agents
from chimera_bench.identification.figures import Figures, figures
from chimera_bench.identification.habits import Rates
from chimera_bench.identification.interleaving import Interleaving, Link
from chimera_training.data import DataError, Workflow, read_workflows, recorded_folder

WORKFLOWS = 3_000  # some 14,000 requests, a few seconds; one standard error of the recall is .0005
WORKFLOWS_PER_SECOND = 7.0  # some 200 are under way at once


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    rates = Rates(**{rate.name: getattr(options, rate.name) for rate in fields(Rates)})
    try:
        runs = read_workflows(options.data or recorded_folder())
    except DataError as error:
        raise SystemExit(str(error)) from None
    found = figures(measure(runs, count=options.workflows, rate=options.load, rates=rates, seeds=range(options.seeds)))
    if options.json:
        report = {"rates": asdict(rates), "load": options.load, "seeds": options.seeds}
        Console().print_json(json.dumps(report | {"figures": [each.as_json() for each in found]}))
    else:
        Console().print(_table(found))


def measure(runs: Sequence[Workflow], *, count: int, rate: float, rates: Rates, seeds: Sequence[int]) -> list[Link]:
    """Return where each request was put, over all seeds.

    Args:
        runs: Recorded workflows, at least one.
        count: Workflows of each seed, before repetitions.
        rate: Workflows that begin in a second.
        rates: What clients do.
        seeds: Of everything that is random; equal seeds give equal links.
    """
    links: list[Link] = []
    for seed in seeds:
        draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
        some = agents(runs, count=count, rate=rate, rates=rates, draw=draw)
        links += Interleaving(rates, draw).run(some)
    return links


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.identification", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--data", type=Path, help="folder of recorded data; the package's own where it is left out")
    parser.add_argument("--workflows", type=int, default=WORKFLOWS, help="workflows of each seed")
    parser.add_argument("--load", type=float, default=WORKFLOWS_PER_SECOND, help="workflows that begin in a second")
    parser.add_argument("--seeds", type=int, default=1, help="repetitions of the whole measurement")
    for rate in fields(Rates):
        parser.add_argument(f"--{rate.name}", type=float, default=rate.default, metavar="SHARE")
    return parser.parse_args(arguments)


def _table(found: Sequence[Figures]) -> Table:
    table = Table(title="workflows found without headers")
    table.add_column("requests of clients that do this")
    for heading in ("requests", "linked", "right", "precision", "recall"):
        table.add_column(heading, justify="right")
    for each in found:
        counts = (each.requests, each.linked, each.right)
        shares = ("" if share is None else f"{share:.4f}" for share in (each.precision, each.recall))
        table.add_row(each.kind, *map(str, counts), *shares)
    return table


if __name__ == "__main__":
    main()
