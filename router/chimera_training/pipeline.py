"""Recorded data in, bundle out."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from chimera_training.bundle import FORMAT_VERSION, FeatureSettings, Manifest, TrainedModel, TrainingData, digest
from chimera_training.confidence import ConfidenceModel
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, DataError
from chimera_training.evaluate import evaluate
from chimera_training.examples import Examples, Mask, read_examples
from chimera_training.export import check_target, export_graphs, write_bundle
from chimera_training.families import family_of
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS, length_features
from chimera_training.fitting import Predictors, fit
from chimera_training.length import LengthModel, call_rows
from chimera_training.split import HELD_OUT_SHARE, Split, split

# Calls on which exported trees are compared with their source: all kinds of them, and a second's work.
VERIFIED_CALLS = 20_000

STEPS = ("read", "fit", "evaluate", "fit on all tasks", "export")


def train(
    data: Path, out: Path, *, held_out_share: float = 0.0, on_step: Callable[[str], None] = lambda _: None
) -> Manifest:
    """Fit, measure and write a bundle.

    Equal data and equal library versions give equal bytes on one machine.

    Args:
        data: Folder with `prompt_outcomes.parquet` and `workflow_traces.parquet`.
        out: Folder of the bundle; an older bundle there is replaced at the end.
        held_out_share: Share of tasks that the bundle never sees, and is measured on. 0 trains on all of them; the
            figures are then those of an earlier fit that had not seen `HELD_OUT_SHARE` of them.
        on_step: Told each of `STEPS` when it begins; the last fit is made only where nothing is held out.

    Returns:
        The manifest written.

    Raises:
        DataError: The data breaks a rule.
        ExportError: `out` holds something else than a bundle, or a graph differs from its source.
    """
    check_target(out)
    on_step("read")
    examples = read_examples(data)
    measured_share = held_out_share or HELD_OUT_SHARE
    sides = _split(examples, measured_share)
    on_step("fit")
    training, predictors = sides.training, fit(examples, sides.training)
    on_step("evaluate")
    figures = evaluate(examples, predictors, sides.held_out, share=measured_share)
    if not held_out_share:
        on_step("fit on all tasks")
        training = np.ones_like(sides.training)
        predictors = fit(examples, training)
    on_step("export")
    graphs = _graphs(examples, predictors)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        written_by=f"chimera {version('chimera')}",
        readings=predictors.confidence.readings,
        models=_models(examples, predictors.confidence, predictors.lengths),
        features=_features(predictors),
        training=_training_data(data, examples, training, held_out_share),
        figures=figures,
        files={name: digest(content) for name, content in graphs.items()},
    )
    write_bundle(out, manifest, graphs)
    return manifest


def _split(examples: Examples, share: float) -> Split:
    sides = split(examples.tasks.ids, examples.tasks.texts, share=share)
    if not (sides.training.any() and sides.held_out.any()):
        raise DataError(
            f"{PROMPT_OUTCOMES} and {WORKFLOW_TRACES}: with {share:g} of the tasks held out, there must be tasks on "
            "both sides"
        )
    return sides


def _graphs(examples: Examples, predictors: Predictors) -> dict[str, bytes]:
    lengths, texts = predictors.lengths, examples.tasks.texts
    rows = call_rows(examples, examples.calls, predictors.length_readings, lengths.traits)
    some = np.linspace(0, len(rows) - 1, num=min(VERIFIED_CALLS, len(rows)), dtype=np.int64)
    return export_graphs(predictors.encoder, predictors.confidence.heads, lengths, texts=texts, rows=rows[some])


def _models(examples: Examples, confidence: ConfidenceModel, lengths: LengthModel) -> tuple[TrainedModel, ...]:
    return tuple(
        TrainedModel(
            name=name,
            head=tuple(head.tolist()),
            family=family_of(name),
            parameters_b=parameters_b,
            general_score=float(general_score),
            ability=float(ability),
            stage_verbosity=float(stage),
            remaining_verbosity=float(remaining),
        )
        for name, head, parameters_b, general_score, (ability, stage, remaining) in zip(
            examples.models,
            confidence.abilities.T,
            examples.parameters_b,
            confidence.general_score,
            lengths.traits,
            strict=True,
        )
    )


def _features(predictors: Predictors) -> FeatureSettings:
    return FeatureSettings(
        encoder=predictors.encoder.kind,
        head_characters=HEAD_CHARACTERS,
        tail_characters=TAIL_CHARACTERS,
        length=length_features(predictors.confidence.readings),
        high_shift=predictors.lengths.high_shift,
    )


def _training_data(data: Path, examples: Examples, training: Mask, held_out_share: float) -> TrainingData:
    return TrainingData(
        files={name: digest((data / name).read_bytes()) for name in (PROMPT_OUTCOMES, WORKFLOW_TRACES)},
        held_out_share=held_out_share,
        tasks=int(training.sum()),
        outcomes=len(examples.outcomes.of(training).task),
        calls=len(examples.calls.of(training).task),
    )
