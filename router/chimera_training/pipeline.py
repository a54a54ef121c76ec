"""Recorded data in, bundle out."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from chimera_training.bundle import FORMAT_VERSION, FeatureSettings, Manifest, TrainedModel, TrainingData, digest
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, DataError
from chimera_training.examples import Examples, Mask, read_examples
from chimera_training.export import Exported, check_target, export_graphs, write_bundle
from chimera_training.families import family_of
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS, length_features
from chimera_training.fitting import Predictors, fit
from chimera_training.length import call_rows
from chimera_training.pools import read_pools
from chimera_training.resampling import task_weights
from chimera_training.seeds import Judge, figures
from chimera_training.split import HELD_OUT_SHARE, Split, split

# Calls on which exported trees are compared with their source: all kinds of them, and a second's work.
VERIFIED_CALLS = 20_000

# Splits that the figures are means over. Each costs a fit, a minute on one core with the data of the package.
SEEDS = 5

READ, FIT_ALL, FIT_TRAINING, EXPORT = "read", "fit on all tasks", "fit", "export"


def steps(seeds: int, held_out_share: float) -> tuple[str, ...]:
    """Return the names of the steps that `train` takes, in order."""
    fits = [step for seed in reversed(range(seeds)) for step in (_fit_step(seed, seeds), _measure_step(seed, seeds))]
    return (READ, *fits, *_last_fit(seeds, held_out_share), EXPORT)


def train(  # noqa: PLR0913 - what there is to choose, by name
    data: Path,
    out: Path,
    *,
    held_out_share: float = 0.0,
    seeds: int = SEEDS,
    pools: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Fit, measure and write a bundle.

    Equal data and equal library versions give equal bytes on one machine.

    Args:
        data: Folder with `prompt_outcomes.parquet` and `workflow_traces.parquet`.
        out: Folder of the bundle; an older bundle there is replaced at the end.
        held_out_share: Share of tasks that the bundle never sees: those that the split of seed 0 holds out. 0 trains on
            all of them.
        seeds: Splits to measure on, each with a fit of its own that has not seen what it is measured on:
            `held_out_share` of the tasks, or `HELD_OUT_SHARE` where that is 0. 0 measures nothing.
        pools: File of pools to measure as well.
        on_step: Told each of `steps` when it begins.

    Returns:
        The manifest written.

    Raises:
        DataError: The data or the pools break a rule.
        ExportError: `out` holds something else than a bundle, or a graph differs from its source.
    """
    check_target(out)
    on_step(READ)
    examples = read_examples(data)
    share = held_out_share or HELD_OUT_SHARE
    sides = [_split(examples, share, seed) for seed in range(max(seeds, 1))]
    judge = Judge(
        examples=examples,
        pools=() if pools is None else read_pools(pools, examples),
        weights=task_weights(len(examples.tasks.ids)),
    )
    measured = []
    for seed in reversed(range(seeds)):  # the first last: its fit may be the bundle's
        on_step(_fit_step(seed, seeds))
        predictors = fit(examples, sides[seed].training)
        on_step(_measure_step(seed, seeds))
        measured.append(judge.measure(predictors, _models(examples, predictors), sides[seed].held_out))
    training = sides[0].training if held_out_share else np.ones_like(sides[0].training)
    for step in _last_fit(seeds, held_out_share):
        on_step(step)
        predictors = fit(examples, training)
    on_step(EXPORT)
    exported = _export(examples, predictors)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        written_by=f"chimera {version('chimera')}",
        readings=predictors.confidence.readings,
        models=_models(examples, predictors),
        features=_features(predictors),
        training=_training_data(data, examples, training, held_out_share),
        figures=figures(measured[::-1], share=share),
        differences=exported.differences,
        files={name: digest(content) for name, content in exported.files.items()},
    )
    write_bundle(out, manifest, exported.files)
    return manifest


def _fit_step(seed: int, seeds: int) -> str:
    return f"fit, seed {seeds - seed} of {seeds}"


def _measure_step(seed: int, seeds: int) -> str:
    return f"measure, seed {seeds - seed} of {seeds}"


def _last_fit(seeds: int, held_out_share: float) -> tuple[str, ...]:
    """Return the step of the bundle's own fit; none where the first of the measured fits is that of the bundle."""
    if not held_out_share:
        return (FIT_ALL,)
    return () if seeds else (FIT_TRAINING,)


def _split(examples: Examples, share: float, seed: int) -> Split:
    sides = split(examples.tasks.ids, examples.tasks.texts, share=share, seed=seed)
    if not (sides.training.any() and sides.held_out.any()):
        raise DataError(
            f"{PROMPT_OUTCOMES} and {WORKFLOW_TRACES}: with {share:g} of the tasks held out, there must be tasks on "
            "both sides"
        )
    return sides


def _export(examples: Examples, predictors: Predictors) -> Exported:
    lengths, texts = predictors.lengths, examples.tasks.texts
    rows = call_rows(examples, examples.calls, predictors.length_readings, lengths.traits)
    some = np.linspace(0, len(rows) - 1, num=min(VERIFIED_CALLS, len(rows)), dtype=np.int64)
    return export_graphs(predictors.encoder, predictors.confidence.heads, lengths, texts=texts, rows=rows[some])


def _models(examples: Examples, predictors: Predictors) -> tuple[TrainedModel, ...]:
    confidence, lengths = predictors.confidence, predictors.lengths
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
