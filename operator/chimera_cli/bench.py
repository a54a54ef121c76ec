"""`chimera bench`: the comparison itself, and beside it what its parts are worth and cost on this machine."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from chimera_cli.comparison import compare
from chimera_cli.identity import identity
from chimera_cli.output import progress_bar, refuse, wide_console
from chimera_cli.validate import validate

if TYPE_CHECKING:
    from chimera_bench.prediction_cost import Case, Cost

BATCHES = [1, 4, 16]  # a request alone, a few at once, the largest batch that the picker makes

bench = typer.Typer(name="bench", invoke_without_command=True)
bench.callback()(compare)
bench.command()(identity)
bench.command()(validate)


@bench.command()
def predict(  # noqa: PLR0913 - the options of the command
    *,
    bundle: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Folder of a bundle; repeat it to compare several. Without it, the package's own."
        ),
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, max=1024, help="Requests that arrive at once; repeatable.")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, max=256, help="Threads of a transformer; repeatable.")
    ] = None,
    models: Annotated[int, typer.Option(min=1, max=1000, help="Models of the pool.")] = 10,
    bursts: Annotated[int, typer.Option(min=2, max=100_000, help="Times that each case is measured.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time predictions for recorded prompts, and show how far each graph is from what it was exported from.

    Example: chimera bench predict --bundle a --bundle b --batch 1 --batch 16 --threads 1 --threads 2
    """
    try:
        cases, costs = _measure(bundle or [], batch or BATCHES, threads or [1], models=models, bursts=bursts)
    except ModuleNotFoundError as error:
        refuse(f"`chimera bench` needs the packages of the extras `router` and `train`: {error.name} is missing")
    if as_json:
        typer.echo(json.dumps(_document(cases, costs), indent=2))
    else:
        _print(cases, costs)


def _measure(
    folders: Sequence[Path], batches: Sequence[int], threads: Sequence[int], *, models: int, bursts: int
) -> "tuple[list[Case], list[Cost]]":
    # The command line works without these packages, and starts without their second of loading.
    from chimera_bench.prediction_cost import WARM_UP, Case, measure, recorded_queries  # noqa: PLC0415 - as said above
    from chimera_router.errors import BundleError  # noqa: PLC0415 - same
    from chimera_router.prediction.bundle import default_bundle, read_bundle  # noqa: PLC0415 - same
    from chimera_training.data import DataError  # noqa: PLC0415 - same

    try:
        bundles = [read_bundle(folder) for folder in folders or [default_bundle()]]
        cases = [
            Case(bundle=each, models=models, batch=size, threads=count)
            for size in batches
            for count in threads
            for each in bundles
        ]
        with progress_bar() as progress:
            bar = progress.add_task("predict", total=len(cases) * (WARM_UP + bursts))
            queries = recorded_queries()
            return cases, asyncio.run(measure(cases, queries, bursts=bursts, on_burst=lambda: progress.advance(bar)))
    except (BundleError, DataError) as error:
        refuse(str(error))


def _document(cases: "Sequence[Case]", costs: "Sequence[Cost]") -> dict[str, Any]:
    ratios = _ratios(cases, costs)
    return {
        "microseconds_per_request": [
            {
                "bundle": str(case.bundle.folder),
                "encoder": case.bundle.manifest.features.encoder,
                "models": case.models,
                "batch": case.batch,
                "threads": case.threads,
                **asdict(cost),
                "ratio": ratio,
            }
            for case, cost, ratio in zip(cases, costs, ratios, strict=True)
        ],
        "largest_difference": {
            str(case.bundle.folder): dict(case.bundle.manifest.differences) for case in _by_folder(cases)
        },
        "largest_rounding": {
            str(case.bundle.folder): case.bundle.manifest.rounding.largest
            for case in _by_folder(cases)
            if case.bundle.manifest.rounding is not None
        },
    }


def _ratios(cases: "Sequence[Case]", costs: "Sequence[Cost]") -> list[float]:
    """Return each median over that of the first bundle in the same case."""
    first = cases[0].bundle
    base = {
        (case.batch, case.threads): cost.median for case, cost in zip(cases, costs, strict=True) if case.bundle is first
    }
    return [cost.median / base[case.batch, case.threads] for case, cost in zip(cases, costs, strict=True)]


def _by_folder(cases: "Sequence[Case]") -> "list[Case]":
    return list({case.bundle.folder: case for case in cases}.values())


def _print(cases: "Sequence[Case]", costs: "Sequence[Cost]") -> None:
    console = wide_console()
    table = _table(
        f"Microseconds a request, {cases[0].models} models",
        *("bundle", "encoder", "batch", "threads", "median", "p99", "times the first"),
    )
    for case, cost, ratio in zip(cases, costs, _ratios(cases, costs), strict=True):
        sizes = (str(case.batch), str(case.threads))
        table.add_row(*_names(case), *sizes, f"{cost.median:.0f}", f"{cost.p99:.0f}", f"{ratio:.2f}")
    console.print(table)
    differences = _table(
        "Largest difference from the source, when exported", "bundle", "encoder", "graph", "difference"
    )
    for case in _by_folder(cases):
        for graph, difference in case.bundle.manifest.differences.items():
            differences.add_row(*_names(case), graph, f"{difference:.1e}")
        if case.bundle.manifest.rounding is not None:
            differences.add_row(*_names(case), "text in 8 bits", f"{case.bundle.manifest.rounding.largest:.1e}")
    console.print(differences)
    if fallbacks := sum(cost.fallbacks for cost in costs):
        console.print(f"{fallbacks} requests were answered by running medians: their times are not the bundle's")


def _names(case: "Case") -> tuple[str, str]:
    return case.bundle.folder.name, case.bundle.manifest.features.encoder


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number > 1 else "left", no_wrap=True)
    return table
