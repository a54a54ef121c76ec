"""`chimera bench validate`: the engine simulator beside what is known of engines and of queues."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from chimera_cli.output import progress_bar, refuse, wide_console

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chimera_bench.validation.check import Check

BROKEN = 1

REQUESTS = 40_000  # a queue is run four times, which leaves an error of 1 to 2 % to the mean of long ones


def validate(
    *,
    requests: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000_000, help="Requests of each run of a queue.")
    ] = REQUESTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Hold simulated engines against closed forms of queueing theory and published measurements.

    The exit status is 1 where a figure is further off than allowed.

    Example: chimera bench validate --json > checks.json
    """
    try:
        checks = _run(requests)
    except ModuleNotFoundError as error:
        refuse(f"`chimera bench validate` needs the packages of the extra `local`: {error.name} is missing")
    if as_json:
        typer.echo(json.dumps([_record(check) for check in checks], indent=2))
    else:
        wide_console().print(_table(checks))
    if not all(check.holds for check in checks):
        raise typer.Exit(BROKEN)


def _run(requests: int) -> "Sequence[Check]":
    # The command line works without these packages, and starts without their second of loading.
    from chimera_bench.validation.published import POINTS, published_checks  # noqa: PLC0415 - as said above
    from chimera_bench.validation.queues import CASES, queue_checks  # noqa: PLC0415 - same

    checks: list[Check] = []
    with progress_bar() as progress:
        bar = progress.add_task("simulate", total=len(POINTS) + len(CASES))
        for point in POINTS:
            checks += published_checks([point])
            progress.advance(bar)
        for case in CASES:
            checks += queue_checks([case], requests=requests)
            progress.advance(bar)
    return checks


def _record(check: "Check") -> dict[str, object]:
    return asdict(check) | {"off": check.off, "holds": check.holds}


def _table(checks: "Iterable[Check]") -> Table:
    table = Table(title="The engine simulator beside what is known", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("case", "figure"):
        table.add_column(heading, no_wrap=True)
    for heading in ("known", "simulated", "off", "allowed", "holds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for check in checks:
        figures = (f"{check.known:.4g}", f"{check.simulated:.4g}", f"{check.off:+.1%}", f"±{check.tolerance:.0%}")
        table.add_row(check.case, check.figure, *figures, "yes" if check.holds else "no")
    return table
