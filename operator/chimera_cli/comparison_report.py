"""What `chimera bench` shows of a comparison: tables, records as JSON, a plot."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from chimera_cli.output import wide_console

if TYPE_CHECKING:
    from chimera_bench.paired import Contest
    from chimera_bench.records import Record

# Chimera as recommended, its rule at any price, and vLLM spread blindly.
CHIMERA, SWEPT, BLIND = "chimera", "marginal", "round-robin"


def show(records: "Sequence[Record]", *, as_json: bool, plot_file: Path | None) -> None:
    """Print records as JSON or as tables, and draw them where a file is named.

    Raises:
        OSError: The plot cannot be written.
    """
    # The command line works without the training packages, and starts without their second of loading.
    from chimera_bench.paired import contests  # noqa: PLC0415 - as said above

    found = contests(records)
    if as_json:
        lines = ",\n ".join(json.dumps(record.as_json()) for record in records)
        typer.echo(f"[{lines}]")
    else:
        _print(found)
    if plot_file is not None:
        _draw(found, plot_file)


def _print(found: "Sequence[Contest]") -> None:
    from chimera_bench.comparison_table import NOTE  # noqa: PLC0415 - see show

    console = wide_console()
    for contest in found:
        for table in _tables(contest):
            console.print(table)
    console.print(NOTE, highlight=False)


def _tables(contest: "Contest") -> Iterator[Table]:
    from chimera_bench.baselines import names  # noqa: PLC0415 - see show
    from chimera_bench.comparison_table import frontier_table, settings_table  # noqa: PLC0415 - same
    from chimera_bench.contestants import Kind  # noqa: PLC0415 - same

    played = {kind: [name for name in names(kind) if contest.of(name)] for kind in Kind}
    others = [*played[Kind.BASELINE], *played[Kind.REFERENCE]]
    # At their own setting, the rules to sweep are Chimera itself.
    own = [name for name in played[Kind.CHIMERA] if name == CHIMERA or not contest.of(CHIMERA)]
    if rest := [*own, *others]:
        yield settings_table(contest, rest, against=BLIND)
    if ablations := played[Kind.ABLATION]:
        whole = [CHIMERA] if contest.of(CHIMERA) else []
        yield settings_table(contest, [*whole, *ablations], against=CHIMERA)
    if contest.of(SWEPT) and others:
        yield frontier_table(contest, [*contest.of(CHIMERA), *contest.of(SWEPT)], others)


def _draw(found: "Sequence[Contest]", path: Path) -> None:
    from chimera_bench.baselines import names  # noqa: PLC0415 - see show
    from chimera_bench.contestants import Kind  # noqa: PLC0415 - same
    from chimera_bench.frontier_plot import plot_frontiers  # noqa: PLC0415 - same

    plot_frontiers(found, path, references=names(Kind.REFERENCE), star=CHIMERA)
    typer.echo(f"Drawn: {path}", err=True)
