"""`chimera train`: fit the predictors on recorded data and write a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from chimera_training.bundle import ConfidenceFigures, LengthFigures, Manifest

USAGE_ERROR = 2


def train(
    *,
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="Folder of the bundle; replaces an older bundle there.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with prompt_outcomes.parquet and workflow_traces.parquet; without it, the package's own data.",
        ),
    ] = None,
    held_out: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=0.9,
            help="Share of tasks, chosen by their ids, that the bundle never sees and is measured on. 0 trains on all; "
            "the figures are then of an earlier fit that had not seen 30 %.",
        ),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Fit confidence and length predictors on recorded data, measure them on held-out tasks, write an ONNX bundle.

    Example: chimera train --data my-recordings --out my-bundle
    """
    try:
        manifest = _train(data, out, held_out)
    except ModuleNotFoundError as error:
        _refuse(f"`chimera train` needs the packages of the extra `train`: {error.name} is missing")
    if as_json:
        from chimera_training.bundle import encode  # noqa: PLC0415 - see _train

        typer.echo(encode(manifest).decode(), nl=False)
    else:
        _print(manifest, out)


def _train(data: Path | None, out: Path, held_out: float) -> "Manifest":
    # The command line works without the training packages, and starts without their second of loading.
    from chimera_training.data import DataError, recorded_folder  # noqa: PLC0415 - as said above
    from chimera_training.export import ExportError  # noqa: PLC0415 - same
    from chimera_training.pipeline import STEPS  # noqa: PLC0415 - same
    from chimera_training.pipeline import train as train_bundle  # noqa: PLC0415 - same

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("start", total=len(STEPS))
        try:
            return train_bundle(
                data or recorded_folder(),
                out,
                held_out_share=held_out,
                on_step=lambda step: progress.update(bar, description=step, advance=1),
            )
        except (DataError, ExportError) as error:
            _refuse(str(error))
        except OSError as error:
            _refuse(f"{error.filename or out}: {error.strerror}")


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(USAGE_ERROR)


def _print(manifest: "Manifest", out: Path) -> None:
    console = Console()
    console.print(_confidence_table(manifest.figures.confidence))
    console.print(_length_table(manifest.figures.length))
    training = manifest.training
    console.print(
        f"{out}: {len(manifest.models)} models, trained on {training.tasks} tasks, "
        f"{training.outcomes} outcomes and {training.calls} calls; figures are of {_measured(manifest)}",
        soft_wrap=True,
    )


def _measured(manifest: "Manifest") -> str:
    share = f"{manifest.figures.held_out_share:.0%} of the tasks"
    if manifest.training.held_out_share > 0:
        return f"{share}, held out"
    return f"an earlier fit, on {share} that it had not seen"


def _confidence_table(figures: "tuple[ConfidenceFigures, ...]") -> Table:
    table = _table("Confidence", "task set", "tasks", "outcomes", "AUC", "Brier", "constant", "calibration error")
    for each in figures:
        scores = (each.auc, each.brier, each.brier_constant, each.calibration_error)
        table.add_row(each.task_set, str(each.tasks), str(each.outcomes), *map(_share, scores))
    return table


def _length_table(figures: "tuple[LengthFigures, ...]") -> Table:
    table = _table("Output tokens", "task set", "of", "calls", "Spearman", "Kendall", "error", "mean", ".9 covers")
    for each in figures:
        tokens = (f"{each.mean_error:.0f}", f"{each.mean_tokens:.0f}")
        ranks = (_share(each.spearman), _share(each.kendall))
        table.add_row(each.task_set, each.target, str(each.calls), *ranks, *tokens, _share(each.coverage))
    return table


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
