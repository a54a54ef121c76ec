"""The manifest of a bundle, `bundle.json`: written by the export, read by the router, defined once."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import numpy as np

from chimera_training.encodings import MEASURED, STAGES, UNKNOWN, Encodings
from chimera_training.features import Floats, length_features

FORMAT_VERSION = 2
MANIFEST = "bundle.json"

# Graphs of a bundle: name of the file, and what it computes.
TEXT = "text.onnx"  # text (n, 1), its tokens (n, length), or both → what can be read in it (n, readings)
STAGE_TOKENS = "stage_tokens.onnx"  # features (rows, columns) → log(1 + tokens of this request), median
STAGE_TOKENS_HIGH = "stage_tokens_high.onnx"  # the same at the .9 quantile, before its application's `stage_shift`
REMAINING_TOKENS = "remaining_tokens.onnx"  # the same of the rest of the workflow, this request included
REMAINING_TOKENS_HIGH = "remaining_tokens_high.onnx"  # the same at .9, before `remaining_shift`
GRAPHS = (TEXT, STAGE_TOKENS, STAGE_TOKENS_HIGH, REMAINING_TOKENS, REMAINING_TOKENS_HIGH)
TOKENIZER = "tokenizer.json"  # beside the graphs, where the text graph takes tokens

TEXT_INPUT = "text"
READINGS_OUTPUT = "readings"
LENGTH_INPUT = "features"
LENGTH_OUTPUT = "log_tokens"

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Size = Annotated[float, msgspec.Meta(ge=0)]

# What fitted the lengths: gradient-boosted trees or a forest with leaf quantiles.
LearnerName = Literal["boosted", "forest"]
DEFAULT_LEARNER: LearnerName = "boosted"  # errs 1 % less on what remains, in a third of the bytes
Count = Annotated[int, msgspec.Meta(ge=0)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class TrainedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model that the bundle knows.

    Attributes:
        name: As the training data names it.
        head: One number for each reading; logit of success = readings . head.
        family: Model family, such as `llama-3`.
        parameters_b: Total parameters in billions; 0 where not published.
        general_score: Chance of a right answer, averaged over the domains at average difficulty.
        ability: In logits, over the average model.
        stage_verbosity: log(1 + tokens) of its answers, over other models' at the same task and stage.
        remaining_verbosity: The same of all tokens its workflows still need.
        effects: For each of the `applications`, what was measured of it there over the average model
            (`encodings.MEASURED`).
    """

    name: Name
    head: tuple[float, ...]
    family: str
    parameters_b: Size
    general_score: Share
    ability: float
    stage_verbosity: float
    remaining_verbosity: float
    effects: tuple[tuple[float, ...], ...]

    def traits(self) -> tuple[float, float, float]:
        """Return the values of `features.TRAIT_FEATURES`, in order."""
        return (self.ability, self.stage_verbosity, self.remaining_verbosity)


class Application(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application whose lengths the bundle has learned; in recorded data a task set.

    Attributes:
        name: Empty for one that is not known.
        levels: For each stage, what was measured of the average model (`encodings.MEASURED`).
        stage_shift: Added to the .9 quantile of a call, in log(1 + tokens), so that it covers .9 of new tasks of this
            application (split conformal).
        remaining_shift: The same of the rest of the workflow.
    """

    name: str
    levels: tuple[tuple[float, ...], ...]
    stage_shift: float
    remaining_shift: float


class FeatureSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How features were made; the router refuses a bundle made otherwise than it makes them.

    Attributes:
        encoder: Kind of text encoder inside the text graph: `tfidf`, `minilm` or `modernbert`.
        token_limit: Tokens kept of a text; 0 where the text graph takes none, and the bundle has no `tokenizer.json`.
        head_characters: Kept of the beginning of a long text.
        tail_characters: Kept of its end.
        length: Columns of the length trees' input, in order.
    """

    encoder: Name
    token_limit: Count = 0
    head_characters: Count
    tail_characters: Count
    length: tuple[Name, ...]


class TrainingData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bundle was trained on.

    Attributes:
        files: sha256 of every data file.
        held_out_share: Share of tasks kept out of training; 0 where it was trained on all.
        tasks: Tasks it was trained on.
        outcomes: Right or wrong answers it was trained on.
        calls: Recorded lengths it was trained on.
        lengths: What fitted them; the default where a manifest does not say.
    """

    files: dict[str, Digest]
    held_out_share: Share
    tasks: Count
    outcomes: Count
    calls: Count
    lengths: LearnerName = DEFAULT_LEARNER


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure with its 95 % interval.

    Attributes:
        value: Mean over the seeds.
        low: Lower end; Bayesian bootstrap over seeds and tasks, see `resampling`.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


class ConfidenceFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well confidences told right from wrong on held-out tasks.

    Attributes:
        name: Task set, or `prompts`, `workflows`, `all`; or the pool.
        tasks: Held-out tasks, the mean over the seeds.
        outcomes: Held-out answers, likewise.
        auc: Area under the ROC curve, the mean over models with both right and wrong answers.
        brier: Mean squared error of the confidence.
        brier_constant: The same if every model's own success rate in the task set were the confidence.
        calibration_error: Expected calibration error over ten equal bins.
    """

    name: Name
    tasks: Count
    outcomes: Count
    auc: Estimate | None
    brier: Estimate
    brier_constant: Share
    calibration_error: Share


class LengthFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well lengths were predicted on held-out tasks.

    Attributes:
        name: Task set, or `prompts`, `workflows`, `workflows at stage 0`, `all`.
        target: `stage` or `remaining`.
        calls: Held-out calls, the mean over the seeds.
        spearman: Rank correlation of prediction and truth; None where either is the same throughout.
        kendall: Kendall's tau-b of the same.
        mean_error: Mean absolute error of the median, in tokens.
        mean_tokens: Mean of the truth, in tokens.
        coverage: Share of truths at or below the .9 quantile.
    """

    name: Name
    target: Name
    calls: Count
    spearman: Estimate | None
    kendall: float | None
    mean_error: Estimate
    mean_tokens: Size
    coverage: Estimate | None


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All held-out figures of a bundle: means over fits that had not seen the tasks they were measured on.

    Where the bundle itself has not seen the tasks of the first split, it is the first of these fits.

    Attributes:
        seeds: Splits of the tasks, and so fits, that were measured; 0 where none was, and there are no figures.
        held_out_share: Share of tasks that each of these fits had not seen.
        confidence: By task set and of all.
        pools: By pool, where pools were given: on the tasks that all models of the pool answered.
        unseen_models: By pool: each model's head set aside, the model placed by its descriptor and 20 answers.
        length: As `confidence`.
    """

    seeds: Count
    held_out_share: Share
    confidence: tuple[ConfidenceFigures, ...]
    pools: tuple[ConfidenceFigures, ...]
    unseen_models: tuple[ConfidenceFigures, ...]
    length: tuple[LengthFigures, ...]


class RoundingFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far readings of a text graph with weights in 8 bits lie from those in single precision.

    Attributes:
        texts: Compared, of the training data.
        largest: Largest difference of any reading: a chance, or logits of difficulty.
        mean: Mean difference.
        batch: Largest difference between a text read alone and among others: activations are rounded by the largest of
            the batch.
    """

    texts: Count
    largest: Size
    mean: Size
    batch: Size


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`bundle.json`.

    Attributes:
        format_version: Of this schema; only `FORMAT_VERSION` is read.
        written_by: Program and version.
        readings: Names of what the text graph reads, in the order of its output: `domain:NAME` for the chance of each
            kind of task, `difficulty` in logits of failure.
        applications: First the one that is not known.
        models: Those with a head.
        features: How the inputs of the graphs are made.
        training: What it was trained on.
        figures: How good it was on what it had not seen, before its weights were rounded.
        differences: Largest difference of every graph from what it was exported from, on examples of the data, before
            its weights were rounded.
        rounding: What rounding the weights changed; None where they are as they were fitted.
        files: sha256 of every graph, and of the tokenizer.
    """

    format_version: int
    written_by: str
    readings: tuple[Name, ...]
    applications: tuple[Application, ...]
    models: tuple[TrainedModel, ...]
    features: FeatureSettings
    training: TrainingData
    figures: Figures
    differences: dict[str, Size]
    rounding: RoundingFigures | None = None
    files: dict[str, Digest]

    def application(self, name: str) -> int:
        """Return the number of an application, `encodings.UNKNOWN` for one that is not among `applications`."""
        names = [each.name for each in self.applications]
        return names.index(name) if name in names else UNKNOWN

    def encodings(self, effects: Floats) -> Encodings:
        """Return what was measured of the applications and of models with these `effects`, (models, ...)."""
        of_models = effects.reshape(len(effects), len(self.applications), len(MEASURED))
        return Encodings(np.array([each.levels for each in self.applications]), of_models.swapaxes(0, 1))


class ManifestError(ValueError):
    """`bundle.json` cannot be used; the text names the field and the rule."""


class _Version(msgspec.Struct):
    format_version: int


def digest(content: bytes) -> str:
    """Return the sha256 of a file's content, in hex."""
    return hashlib.sha256(content).hexdigest()


def encode(manifest: Manifest) -> bytes:
    """Return the text of `bundle.json`: the same bytes for equal values."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(text: bytes) -> Manifest:
    """Read `bundle.json`.

    Raises:
        ManifestError: It is of another format version, breaks the schema or contradicts itself.
    """
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version != FORMAT_VERSION:
            age = "a newer" if version > FORMAT_VERSION else "an older"
            raise ManifestError(f"format version {version} is of {age} program, this one reads {FORMAT_VERSION}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestError(str(error)) from None
    _check_consistency(manifest)
    return manifest


def _check_consistency(manifest: Manifest) -> None:
    names = [model.name for model in manifest.models]
    if not names or len(set(names)) != len(names):
        raise ManifestError("`models` must hold at least one model, and no name twice")
    if not manifest.readings or len(set(manifest.readings)) != len(manifest.readings):
        raise ManifestError("`readings` must name at least one, and none twice")
    _check_applications(manifest.applications)
    for model in manifest.models:
        _check_head(model, len(manifest.readings))
        _check_table(f"model {model.name!r}: `effects`", model.effects, len(manifest.applications))
    if manifest.features.length != length_features(manifest.readings):
        raise ManifestError(
            "`features.length` must be the features that this program computes for `readings`, in order"
        )
    files = (*GRAPHS, TOKENIZER) if manifest.features.token_limit else GRAPHS
    if set(manifest.files) != set(files):
        raise ManifestError(f"`files` must name {', '.join(files)} and no other")


def _check_head(model: TrainedModel, readings: int) -> None:
    if len(model.head) != readings:
        raise ManifestError(
            f"model {model.name!r}: `head` must have one number for each of the {readings} `readings`, "
            f"but has {len(model.head)}"
        )


def _check_applications(applications: Sequence[Application]) -> None:
    names = [application.name for application in applications]
    if names[:1] != [""] or len(set(names)) != len(names):
        raise ManifestError("`applications` must begin with the empty name, and hold no name twice")
    for application in applications:
        _check_table(f"application {application.name!r}: `levels`", application.levels, STAGES)


def _check_table(place: str, rows: Sequence[Sequence[float]], count: int) -> None:
    if len(rows) != count or any(len(row) != len(MEASURED) for row in rows):
        raise ManifestError(f"{place} must be {count} rows of {len(MEASURED)} numbers")
