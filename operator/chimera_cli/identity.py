"""`chimera bench identity`: how surely workflows are found when no header names them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from chimera_bench.identification.habits import Rates
from chimera_cli.output import progress_bar, refuse, wide_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chimera_bench.identification.figures import Figures

WORKFLOWS = 3_000  # some 14,000 requests, a few seconds; one standard error of the recall is .0005
WORKFLOWS_PER_SECOND = 7.0  # some 200 are under way at once

_RATES = Rates()


def identity(  # noqa: PLR0913 - the options of the command
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of recorded data. Default: the package's own.")
    ] = None,
    workflows: Annotated[
        int, typer.Option(metavar="N", min=1, max=1_000_000, help="Workflows of each seed, before repetitions.")
    ] = WORKFLOWS,
    rate: Annotated[
        float, typer.Option(metavar="X", min=0.001, max=1e6, help="Workflows that begin in a second.")
    ] = WORKFLOWS_PER_SECOND,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Repetitions of the whole measurement.")] = 1,
    repeated: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Workflows that somebody runs again.")
    ] = _RATES.repeated,
    parallel: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Workflows that begin several times at once.")
    ] = _RATES.parallel,
    greedy: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Of the others, those that ask at temperature 0.")
    ] = _RATES.greedy,
    retried: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Requests that fail and are sent again.")
    ] = _RATES.retried,
    branched: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Later requests beside which another one branches.")
    ] = _RATES.branched,
    edited: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Workflows that change their history.")
    ] = _RATES.edited,
    respaced: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Workflows that strip the replies' white space.")
    ] = _RATES.respaced,
    as_json: Annotated[bool, typer.Option("--json", help="Print rates and figures as JSON.")] = False,
) -> None:
    """Interleave recorded workflows without headers, and count which requests the picker gives to the right one.

    Example: chimera bench identity --workflows 2000 --seeds 5 --edited 1
    """
    rates = Rates(
        repeated=repeated,
        parallel=parallel,
        greedy=greedy,
        retried=retried,
        branched=branched,
        edited=edited,
        respaced=respaced,
    )
    try:
        found = _measure(data, workflows=workflows, rate=rate, rates=rates, seeds=seeds)
    except ModuleNotFoundError as error:
        refuse(
            f"`chimera bench identity` needs the packages of the extras `local` and `train`: {error.name} is missing"
        )
    if as_json:
        report = {"rates": asdict(rates), "workflows": workflows, "workflows_per_second": rate, "seeds": seeds}
        typer.echo(json.dumps(report | {"figures": [each.as_json() for each in found]}, indent=2))
    else:
        wide_console().print(_table(found))


def _measure(folder: Path | None, *, workflows: int, rate: float, rates: Rates, seeds: int) -> "list[Figures]":
    # The command line works without these packages, and starts without their second of loading.
    from chimera_bench.identification.figures import figures  # noqa: PLC0415 - as said above
    from chimera_bench.identification.measure import measure  # noqa: PLC0415 - same
    from chimera_training.data import DataError, read_workflows, recorded_folder  # noqa: PLC0415 - same

    try:
        runs = read_workflows(folder or recorded_folder())
    except DataError as error:
        refuse(str(error))
    with progress_bar() as progress:
        bar = progress.add_task("identify", total=seeds)
        links = measure(
            runs,
            count=workflows,
            rate=rate,
            rates=rates,
            seeds=range(seeds),
            on_seed=lambda: progress.advance(bar),
        )
    return figures(links)


def _table(found: "Sequence[Figures]") -> Table:
    table = Table(title="Workflows found without headers", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("requests of clients that do this", no_wrap=True)
    for heading in ("requests", "linked", "right", "precision", "recall"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        counts = (each.requests, each.linked, each.right)
        shares = ("" if share is None else f"{share:.4f}" for share in (each.precision, each.recall))
        table.add_row(each.kind, *map(str, counts), *shares)
    return table
