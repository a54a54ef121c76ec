"""Recorded data in, bundle out."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from chimera_training.bundle import FORMAT_VERSION, FeatureSettings, Manifest, TrainedModel, TrainingData
from chimera_training.confidence import ConfidenceModel, fit_confidence
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES
from chimera_training.encoder import Encoder, fit_tfidf
from chimera_training.evaluate import evaluate
from chimera_training.examples import Examples, read_examples
from chimera_training.export import check_target, digest, export_graphs, write_bundle
from chimera_training.families import family_of
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS, length_features
from chimera_training.length import LengthModel, call_rows, fit_lengths
from chimera_training.split import HELD_OUT_SHARE

# Calls on which exported trees are compared with their source: all kinds of them, and a second's work.
VERIFIED_CALLS = 20_000

STEPS = ("read", "fit confidence", "fit lengths", "evaluate", "export")


def train(data: Path, out: Path, *, on_step: Callable[[str], None] = lambda _: None) -> Manifest:
    """Fit, measure and write a bundle.

    Equal data and equal library versions give equal bytes on one machine.

    Args:
        data: Folder with `prompt_outcomes.parquet` and `workflow_traces.parquet`.
        out: Folder of the bundle; an older bundle there is replaced at the end.
        on_step: Told each of `STEPS` when it begins.

    Returns:
        The manifest written.

    Raises:
        DataError: The data breaks a rule.
        ExportError: `out` holds something else than a bundle, or a graph differs from its source.
    """
    check_target(out)
    on_step("read")
    examples = read_examples(data)
    on_step("fit confidence")
    tasks = examples.tasks
    encoder = fit_tfidf([text for text, chosen in zip(tasks.texts, tasks.training, strict=True) if chosen])
    confidence, readings = fit_confidence(examples, encoder)
    on_step("fit lengths")
    lengths = fit_lengths(examples, readings, confidence.ability)
    on_step("evaluate")
    figures = evaluate(examples, confidence, lengths, readings)
    on_step("export")
    rows = call_rows(examples, examples.calls, readings, lengths.traits)
    some = np.linspace(0, len(rows) - 1, num=min(VERIFIED_CALLS, len(rows)), dtype=np.int64)
    graphs = export_graphs(encoder, confidence, lengths, texts=tasks.texts, rows=rows[some])
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        written_by=f"chimera {version('chimera')}",
        domains=examples.domains,
        models=_models(examples, confidence, lengths),
        features=_features(examples, encoder, lengths),
        training=_training_data(data, examples),
        figures=figures,
        files={name: digest(content) for name, content in graphs.items()},
    )
    write_bundle(out, manifest, graphs)
    return manifest


def _models(examples: Examples, confidence: ConfidenceModel, lengths: LengthModel) -> tuple[TrainedModel, ...]:
    return tuple(
        TrainedModel(
            name=name,
            family=family_of(name),
            parameters_b=parameters_b,
            general_score=float(general_score),
            ability=float(ability),
            stage_verbosity=float(stage),
            remaining_verbosity=float(remaining),
        )
        for name, parameters_b, general_score, (ability, stage, remaining) in zip(
            examples.models, examples.parameters_b, confidence.general_score, lengths.traits, strict=True
        )
    )


def _features(examples: Examples, encoder: Encoder, lengths: LengthModel) -> FeatureSettings:
    return FeatureSettings(
        encoder=encoder.kind,
        head_characters=HEAD_CHARACTERS,
        tail_characters=TAIL_CHARACTERS,
        length=length_features(examples.domains),
        high_shift=lengths.high_shift,
    )


def _training_data(data: Path, examples: Examples) -> TrainingData:
    training = examples.tasks.training
    return TrainingData(
        files={name: digest((data / name).read_bytes()) for name in (PROMPT_OUTCOMES, WORKFLOW_TRACES)},
        held_out_share=HELD_OUT_SHARE,
        tasks=int(training.sum()),
        outcomes=len(examples.outcomes.of(training).task),
        calls=len(examples.calls.of(training).task),
    )
