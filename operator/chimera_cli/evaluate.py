"""`chimera evaluate`: measure a bundle on recorded outcomes that it was not trained on."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperCommand

from chimera_cli.output import refuse, wide_console

if TYPE_CHECKING:
    from chimera_router.prediction.bundle import Bundle
    from chimera_training.examples import Examples
    from chimera_training.measure import Measurement, TokenFigures
    from chimera_training.routing import PoolFigures
    from chimera_training.unseen import UnseenFigures

STANDARD_OUTPUT = Path("-")

UNSEEN_NOTE = (
    "Unseen: each model's own head set aside, the model placed by its size, its family and 20 observed answers; the "
    "text heads had learned from its other answers too.\n"
)


SEEN_WARNING = (
    "warning: the bundle was trained on all tasks of this very data, so the figures show what it remembers; those of "
    "unseen tasks are in its bundle.json"
)


class EvaluateCommand(TyperCommand):
    """Lets `--json` stand without a file, for standard output: typer has no options with an optional value."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put `-` after a `--json` that no value follows."""
        return super().parse_args(ctx, list(_with_output(args)))


def _with_output(args: list[str]) -> Iterator[str]:
    for argument, following in zip(args, [*args, "--"][1:], strict=True):
        yield argument
        if argument == "--json" and following.startswith("-") and following != str(STANDARD_OUTPUT):
            yield str(STANDARD_OUTPUT)


def evaluate(
    *,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the bundle; without it, the package's own.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with prompt_outcomes.parquet and workflow_traces.parquet; without it, the package's own data.",
        ),
    ] = None,
    pools: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='JSON list of {"name", "task_sets", "models", "small", "large"}; without it, all models of the bundle '
            "that the data knows form a pool for each task set.",
        ),
    ] = None,
    all_tasks: Annotated[
        bool, typer.Option("--all-tasks", help="Measure the tasks that the bundle was trained on too.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="[FILE]", help="Write the figures as JSON; without a file, print nothing else."),
    ] = None,
) -> None:
    """Measure a bundle's confidences and lengths on recorded outcomes of tasks that it was not trained on.

    Lengths are those of known applications: each call's task set is the application that the bundle looks up.

    Example: chimera evaluate --bundle my-bundle --data my-recordings --pools pools.json --json figures.json
    """
    if json_file is not None and not json_file.parent.is_dir():
        refuse(f"{json_file.parent}: the folder for the figures does not exist")
    try:
        _evaluate(bundle, data, pools, all_tasks=all_tasks, json_file=json_file)
    except ModuleNotFoundError as error:
        refuse(f"`chimera evaluate` needs the packages of the extras `router` and `train`: {error.name} is missing")
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}")


def _evaluate(
    folder: Path | None, data: Path | None, pools: Path | None, *, all_tasks: bool, json_file: Path | None
) -> None:
    # The command line works without the training packages, and starts without their second of loading.
    from chimera_bench.recorded_predictions import read_unseen_examples, trained_on  # noqa: PLC0415 - as said above
    from chimera_router.errors import BundleError  # noqa: PLC0415 - same
    from chimera_router.prediction.bundle import default_bundle, read_bundle  # noqa: PLC0415 - same
    from chimera_training.data import DataError, recorded_folder  # noqa: PLC0415 - same

    try:
        bundle = read_bundle(folder or default_bundle())
        recorded = data or recorded_folder()
        examples = read_unseen_examples(bundle.manifest, recorded, all_tasks=all_tasks)
        if trained_on(bundle.manifest, recorded):
            typer.echo(SEEN_WARNING, err=True)
        measured = _measure(bundle, examples, pools)
    except (BundleError, DataError) as error:
        refuse(str(error))
    if json_file != STANDARD_OUTPUT:
        _print(measured, bundle, examples, all_tasks=all_tasks)
    if json_file is not None:
        _write(measured, json_file)


def _measure(bundle: "Bundle", examples: "Examples", pools: Path | None) -> "Measurement":
    from chimera_bench.recorded_predictions import predict_examples  # noqa: PLC0415 - see _evaluate
    from chimera_training.measure import measure  # noqa: PLC0415 - same
    from chimera_training.pools import pools_of, read_pools  # noqa: PLC0415 - same

    chosen = pools_of(examples) if pools is None else read_pools(pools, examples)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("predict", total=len(examples.tasks.ids) + len(examples.calls.task))
        predicted = predict_examples(bundle, examples, on_done=lambda count: progress.advance(bar, count))
        progress.update(bar, description="measure")
        return measure(examples, predicted, chosen, bundle.manifest.models)


def _write(measured: "Measurement", path: Path) -> None:
    import msgspec  # noqa: PLC0415 - see _evaluate

    text = msgspec.json.format(msgspec.json.encode(measured), indent=2)
    if path == STANDARD_OUTPUT:
        typer.echo(text.decode())
    else:
        path.write_bytes(text + b"\n")


def _print(measured: "Measurement", bundle: "Bundle", examples: "Examples", *, all_tasks: bool) -> None:
    console = wide_console()
    console.print(_confidence_table(measured.confidence))
    console.print(_routing_table(measured.confidence))
    if measured.unseen_model:
        console.print(_unseen_table(measured.unseen_model))
        console.print(UNSEEN_NOTE, highlight=False)
    console.print(_length_table("Output tokens of a call", "task set", measured.length))
    console.print(_length_table("Output tokens that a workflow still needs", "calls at", measured.remaining))
    console.print(
        f"{bundle.folder}: {len(examples.models)} of {len(bundle.manifest.models)} models in the data; "
        f"{len(examples.tasks.ids)} tasks: {_which(bundle, all_tasks=all_tasks)}; ± is half of a 95 % interval, by "
        "bootstrap over the tasks",
        markup=False,
        highlight=False,
    )


def _which(bundle: "Bundle", *, all_tasks: bool) -> str:
    share = bundle.manifest.training.held_out_share
    if not share:
        return "all"
    if all_tasks:
        return "all, those that the bundle was trained on too"
    return f"only those held out of the bundle's training ({share:.0%} of all, by their ids)"


def _confidence_table(figures: "Mapping[str, PoolFigures]") -> Table:
    table = _table("Confidence", ("pool", "models", "tasks", "AUC", "Brier", "constant", "ECE"))
    for name, each in figures.items():
        scores = (_sure(each.auc_mean, each.auc_mean_interval), _sure(each.brier, each.brier_interval))
        constants = (_share(each.brier_constant), _share(each.ece))
        table.add_row(name, str(len(each.auc)), str(each.n), *scores, *constants)
    return table


def _routing_table(figures: "Mapping[str, PoolFigures]") -> Table:
    table = _table("Scores of routing by it", ("pool", "most confident", "best single", "oracle", "APGR"))
    for name, each in figures.items():
        scores = (each.argmax_score, each.best_single_score, each.oracle_score, each.apgr)
        table.add_row(name, *map(_share, scores))
    return table


def _unseen_table(figures: "Mapping[str, UnseenFigures]") -> Table:
    table = _table("Confidence in unseen models", ("pool", "tasks", "AUC", "Brier"))
    for name, each in figures.items():
        scores = (_sure(each.auc_mean, each.auc_mean_interval), _sure(each.brier, each.brier_interval))
        table.add_row(name, str(each.n), *scores)
    return table


def _length_table(title: str, first: str, figures: "Mapping[str, TokenFigures]") -> Table:
    table = _table(title, (first, "calls", "Spearman", "Kendall", "error", ".9 covers"))
    for name, each in figures.items():
        ranks = (_sure(each.spearman, each.spearman_interval), _share(each.kendall))
        error = _sure(each.mae, each.mae_interval, digits=0)
        covered = _sure(each.coverage90, each.coverage90_interval)
        table.add_row(name.replace("_", " "), str(each.n), *ranks, error, covered)
    return table


def _table(title: str, headings: Iterable[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _sure(value: float | None, interval: tuple[float, float] | None, *, digits: int = 3) -> str:
    """Return a figure and half of its interval."""
    if value is None or interval is None:
        return "-"
    return f"{value:.{digits}f} ±{(interval[1] - interval[0]) / 2:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
