"""Which encoder a bundle gets, and its fitting to recorded data.

All have the words of a text (TF-IDF) and its surface; a transformer stands beside these and does not replace them: task
sets are told apart by words, and the surface says what meaning does not. A transformer's packages are loaded only where
one is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from chimera_training.confidence import task_difficulty
from chimera_training.encoder import Encoder, JoinedEncoder, WeightsError
from chimera_training.examples import Examples, Mask, Outcomes
from chimera_training.features import Floats
from chimera_training.kernel import SurfaceEncoder, fit_kernel
from chimera_training.reading import ENOUGH_ANSWERS
from chimera_training.tfidf import fit_tfidf

if TYPE_CHECKING:
    from chimera_training.finetune import Lessons
    from chimera_training.transformer_encoder import TransformerEncoder

TFIDF, MINILM, MODERNBERT = "tfidf", "minilm", "modernbert"
KINDS = (TFIDF, MINILM, MODERNBERT)

# Tokens kept of a text. MiniLM was trained on 128, and on a processor time grows with them; ModernBERT reads all that
# is left of a long text's 2000 characters, some 500.
TOKEN_LIMITS = {MINILM: 128, MODERNBERT: 512}

# Weights in 8 bits halve the time on a processor; a graphics card has no kernels for them.
INT8 = {MINILM: True, MODERNBERT: False}

# Landmarks of the kernels. Of a text's surface 400 do as well as all texts; of its meaning more would help, at a cost
# of half a microsecond each.
SURFACE_LANDMARKS = 400
MEANING_LANDMARKS = 800

# Passes of fine-tuning. What a fine-tuned transformer reads in a training task has seen who answered that task right,
# so heads that are fitted on such readings trust them more than new tasks deserve; a frozen one reads both alike.
EPOCHS = 0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderChoice:
    """An encoder, before it is fitted.

    Attributes:
        kind: One of `KINDS`.
        weights: Where the transformer's weights are, a folder or a name on a hub; empty for those of a package.
        epochs: Passes of fine-tuning; 0 leaves the transformer as it is.
        frozen: The transformer, where it stays as it is and is loaded already, see `prepared`.
    """

    kind: str = TFIDF
    weights: str = ""
    epochs: int = EPOCHS
    frozen: "TransformerEncoder | None" = None


def prepared(choice: EncoderChoice) -> EncoderChoice:
    """Load a transformer that stays as it is, so that several fits share it and read every text once.

    Raises:
        ModuleNotFoundError: A transformer needs the packages of the extra `encoders`.
        WeightsError: Its weights are not where they should be.
    """
    if choice.kind == TFIDF or choice.epochs:
        return choice
    return replace(choice, frozen=_load(choice))


def fit_encoder(
    choice: EncoderChoice,
    examples: Examples,
    training: Mask,
    *,
    on_batch: Progress = lambda _done, _all: None,
) -> Encoder:
    """Fit an encoder to the training tasks, (tasks,).

    Raises:
        ModuleNotFoundError: A transformer needs the packages of the extra `encoders`.
        WeightsError: Its weights are not where they should be.
    """
    texts = [examples.tasks.texts[task] for task in np.flatnonzero(training)]
    kinds = examples.tasks.domain[training]
    parts: list[Encoder] = [
        fit_tfidf(texts, kinds),
        fit_kernel(SurfaceEncoder(), texts, kinds, landmarks=SURFACE_LANDMARKS),
    ]
    if choice.kind != TFIDF:
        transformer = _fit_transformer(choice, examples, training, on_batch)
        parts.append(fit_kernel(transformer, texts, kinds, landmarks=MEANING_LANDMARKS))
    return JoinedEncoder(choice.kind, tuple(parts))


def lessons(examples: Examples, training: Mask) -> "Lessons":
    """Return what the training tasks teach a transformer."""
    from chimera_training.finetune import Lessons  # noqa: PLC0415 - torch comes with it

    outcomes = examples.outcomes.of(training)
    difficulty, answers = task_difficulty(examples, outcomes)
    chosen = np.flatnonzero(training & (answers > 0))
    return Lessons(
        texts=[examples.tasks.texts[task] for task in chosen],
        domain=examples.tasks.domain[chosen],
        success=_success(outcomes, len(training), len(examples.models))[chosen],
        difficulty=difficulty[chosen],
        weight=answers[chosen].clip(max=ENOUGH_ANSWERS) / ENOUGH_ANSWERS,
        domains=len(examples.domains),
    )


def _fit_transformer(
    choice: EncoderChoice, examples: Examples, training: Mask, on_batch: Progress
) -> "TransformerEncoder":
    from chimera_training.finetune import Schedule, fine_tune  # noqa: PLC0415 - torch comes with it

    encoder = choice.frozen or _load(choice)
    if choice.epochs:
        schedule = Schedule(epochs=choice.epochs)
        fine_tune(encoder.model, encoder.tokens, lessons(examples, training), schedule, on_batch=on_batch)
    return encoder


def _load(choice: EncoderChoice) -> "TransformerEncoder":
    from chimera_training.transformer_encoder import TransformerEncoder  # noqa: PLC0415 - torch comes with it
    from chimera_training.weights import load, minilm  # noqa: PLC0415 - same

    if choice.kind == MODERNBERT and not choice.weights:
        raise WeightsError("the encoder `modernbert` comes without weights: name their folder, or a model on a hub")
    model, tokens = load(choice.weights or minilm(), limit=TOKEN_LIMITS[choice.kind])
    return TransformerEncoder(kind=choice.kind, model=model, tokens=tokens, int8=INT8[choice.kind])


def _success(outcomes: Outcomes, tasks: int, models: int) -> Floats:
    """Return the share of right answers, (tasks, models); NaN where there is none."""
    cell = outcomes.task * models + outcomes.model
    right = np.bincount(cell, outcomes.success, minlength=tasks * models)
    asked = np.bincount(cell, minlength=tasks * models).astype(np.float64)
    asked[asked == 0] = np.nan
    share: Floats = (right / asked).reshape(tasks, models)
    return share
