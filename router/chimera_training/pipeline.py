"""Recorded data in, bundle out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np

from chimera_training.bundle import (
    DEFAULT_LEARNER,
    FORMAT_VERSION,
    Application,
    FeatureSettings,
    Figures,
    LearnerName,
    Manifest,
    TrainedModel,
    TrainingData,
    digest,
)
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, DataError
from chimera_training.encoders import EncoderChoice, Progress, prepared
from chimera_training.examples import Examples, Mask, read_examples
from chimera_training.export import Exported, check_target, export_graphs, write_bundle
from chimera_training.families import family_of
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS, length_features
from chimera_training.fitting import TFIDF_ALONE, Predictors, fit
from chimera_training.length import LengthModel, applications, call_rows
from chimera_training.pools import read_pools
from chimera_training.resampling import task_weights
from chimera_training.seeds import Judge, Measured, figures
from chimera_training.split import HELD_OUT_SHARE, Split, split

# Calls on which exported trees are compared with their source: all kinds of them, and a second's work.
VERIFIED_CALLS = 20_000

# Splits that the figures are means over. Each costs a fit, a minute on one core with the data of the package.
SEEDS = 5

_DIGITS = 4  # of an encoding in the manifest: a tenth of the grid that the trees see it on

READ, FIT_ALL, FIT_TRAINING, EXPORT = "read", "fit on all tasks", "fit", "export"


def steps(seeds: int, held_out_share: float) -> tuple[str, ...]:
    """Return the names of the steps that `train` takes, in order."""
    fits = [step for seed in reversed(range(seeds)) for step in (_fit_step(seed, seeds), _measure_step(seed, seeds))]
    # Where tasks are held out, the first of the measured fits is that of the bundle.
    last = () if seeds and held_out_share else (_last_fit(held_out_share),)
    return (READ, *fits, *last, EXPORT)


def train(  # noqa: PLR0913 - what there is to choose, by name
    data: Path,
    out: Path,
    *,
    encoder: EncoderChoice = TFIDF_ALONE,
    learner: LearnerName = DEFAULT_LEARNER,
    held_out_share: float = 0.0,
    seeds: int = SEEDS,
    pools: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    on_batch: Progress = lambda _done, _all: None,
) -> Manifest:
    """Fit, measure and write a bundle.

    Equal data and equal library versions give equal bytes on one machine.

    Args:
        data: Folder with `prompt_outcomes.parquet` and `workflow_traces.parquet`.
        out: Folder of the bundle; an older bundle there is replaced at the end.
        encoder: Which encoder reads the texts.
        learner: What fits the lengths.
        held_out_share: Share of tasks that the bundle never sees: those that the split of seed 0 holds out. 0 trains on
            all of them.
        seeds: Splits to measure on, each with a fit of its own that has not seen what it is measured on:
            `held_out_share` of the tasks, or `HELD_OUT_SHARE` where that is 0. 0 measures nothing.
        pools: File of pools to measure as well.
        on_step: Told each of `steps` when it begins.
        on_batch: Told the batches of fine-tuning done and their number, within a step.

    Returns:
        The manifest written.

    Raises:
        DataError: The data or the pools break a rule.
        ModuleNotFoundError: The encoder needs the packages of the extra `encoders`.
        WeightsError: The encoder's weights are not where they should be.
        ExportError: `out` holds something else than a bundle, or a graph differs from its source.
    """
    check_target(out)
    on_step(READ)
    examples = read_examples(data)
    share = held_out_share or HELD_OUT_SHARE
    sides = [_split(examples, share, seed) for seed in range(max(seeds, 1))]
    pools_read = () if pools is None else read_pools(pools, examples)
    judge = Judge(examples=examples, pools=pools_read, weights=task_weights(len(examples.tasks.ids)))
    fits = _Fits(examples=examples, encoder=prepared(encoder), learner=learner, on_step=on_step, on_batch=on_batch)
    measured, predictors = fits.measured(judge, sides[:seeds])
    training = sides[0].training if held_out_share else np.ones_like(sides[0].training)
    if predictors is None or not held_out_share:
        predictors = fits.fit(_last_fit(held_out_share), training)
    on_step(EXPORT)
    manifest, files = _bundle(
        examples,
        predictors,
        training=msgspec.structs.replace(_training_data(data, examples, training, held_out_share), lengths=learner),
        measured=figures(measured, share=share),
    )
    write_bundle(out, manifest, files)
    return manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fits:
    """The fits of one run, each announced."""

    examples: Examples
    encoder: EncoderChoice
    learner: LearnerName
    on_step: Callable[[str], None]
    on_batch: Progress

    def fit(self, step: str, training: Mask) -> Predictors:
        self.on_step(step)
        return fit(self.examples, training, encoder=self.encoder, learner=self.learner, on_batch=self.on_batch)

    def measured(self, judge: Judge, sides: Sequence[Split]) -> tuple[list[Measured], Predictors | None]:
        """Return what a fit on each split was worth, and the fit on the first one, which may be the bundle's."""
        measured, predictors = [], None
        for seed in reversed(range(len(sides))):
            predictors = self.fit(_fit_step(seed, len(sides)), sides[seed].training)
            self.on_step(_measure_step(seed, len(sides)))
            models = _models(self.examples, predictors)
            measured.append(judge.measure(predictors, models, sides[seed].held_out))
        return measured[::-1], predictors


def _bundle(
    examples: Examples, predictors: Predictors, *, training: TrainingData, measured: Figures
) -> tuple[Manifest, dict[str, bytes]]:
    """Return what is written: the manifest, and the other files by name."""
    exported = _export(examples, predictors)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        written_by=f"chimera {version('chimera')}",
        readings=predictors.confidence.readings,
        applications=_applications(examples, predictors.lengths),
        models=_models(examples, predictors),
        features=_features(predictors),
        training=training,
        figures=measured,
        differences=exported.differences,
        rounding=exported.rounding,
        files={name: digest(content) for name, content in exported.files.items()},
    )
    return manifest, exported.files


def _fit_step(seed: int, seeds: int) -> str:
    return f"fit, seed {seeds - seed} of {seeds}"


def _measure_step(seed: int, seeds: int) -> str:
    return f"measure, seed {seeds - seed} of {seeds}"


def _last_fit(held_out_share: float) -> str:
    return FIT_TRAINING if held_out_share else FIT_ALL


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
    calls = examples.calls
    known = applications(examples, calls)
    rows = call_rows(examples, calls, predictors.length_readings, lengths.learned, application=known)
    some = np.linspace(0, len(rows) - 1, num=min(VERIFIED_CALLS, len(rows)), dtype=np.int64)
    return export_graphs(predictors.encoder, predictors.confidence.heads, lengths, texts=texts, rows=rows[some])


def _applications(examples: Examples, lengths: LengthModel) -> tuple[Application, ...]:
    levels = lengths.learned.encodings.levels.round(_DIGITS).tolist()
    return tuple(
        Application(name=name, levels=tuple(map(tuple, own)), stage_shift=stage, remaining_shift=remaining)
        for name, own, (stage, remaining) in zip(("", *examples.domains), levels, lengths.shifts.tolist(), strict=True)
    )


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
            effects=tuple(map(tuple, effects)),
        )
        for name, head, parameters_b, general_score, (ability, stage, remaining), effects in zip(
            examples.models,
            confidence.abilities.T,
            examples.parameters_b,
            confidence.general_score,
            lengths.learned.traits,
            lengths.learned.encodings.effects.swapaxes(0, 1).round(_DIGITS).tolist(),
            strict=True,
        )
    )


def _features(predictors: Predictors) -> FeatureSettings:
    tokens = predictors.encoder.tokens
    return FeatureSettings(
        encoder=predictors.encoder.kind,
        token_limit=0 if tokens is None else tokens.limit,
        head_characters=HEAD_CHARACTERS,
        tail_characters=TAIL_CHARACTERS,
        length=length_features(predictors.confidence.readings),
    )


def _training_data(data: Path, examples: Examples, training: Mask, held_out_share: float) -> TrainingData:
    return TrainingData(
        files={name: digest((data / name).read_bytes()) for name in (PROMPT_OUTCOMES, WORKFLOW_TRACES)},
        held_out_share=held_out_share,
        tasks=int(training.sum()),
        outcomes=len(examples.outcomes.of(training).task),
        calls=len(examples.calls.of(training).task),
    )
