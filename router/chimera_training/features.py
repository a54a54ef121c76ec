"""The one definition of what the predictors see; training and the router both call it, so they cannot differ.

A request becomes its text, cut and in lower case (input of the text graph), and a row of numbers for each model (input
of the length trees). The numbers join what is known of the request, what the text graph read in the text, and the
traits of the model. Nothing here may import more than numpy: the router imports this module.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

# Characters kept of a long text: about 500 tokens. Most stay at the end, where agent prompts put the task after their
# preamble; beyond, no text of the recorded data gains and the tokenizer's time grows.
HEAD_CHARACTERS = 500
TAIL_CHARACTERS = 1500

# Tokens of the text graph, in lower case: words, single digits, single other characters. Symbols tell formulas and code
# apart, which words alone cannot. White space is spelt out because onnxruntime and Python differ on what else is such.
TOKEN_PATTERN = r"[a-z]+|[0-9]|[^a-z0-9 \t\n\r\f\v]"  # noqa: S105 - a pattern, no secret

REQUEST_FEATURES = (
    "log_prompt_tokens",
    "stage",
    "log_tokens_so_far",
    "log_last_tokens",
    "log_largest_tokens",
    "log_mean_tokens",
    "log_characters",
    "log_digits",
    "log_symbols",
    "message_log_characters",
    "message_log_digits",
    "message_log_symbols",
    "message_failed",
    "message_rejected",
    "message_last_number",
    "message_number_before",
)
DOMAIN_PREFIX = "domain:"
DIFFICULTY = "difficulty"
TRAIT_FEATURES = ("ability", "stage_verbosity", "remaining_verbosity")
APPLICATION_FEATURES = (
    "application_known",
    "application_stage_tokens",
    "application_remaining_tokens",
    "application_stages_left",
    "application_success",
    "model_stage_tokens",
    "model_remaining_tokens",
    "model_stages_left",
    "model_success",
)

# Words by which tools and environments tell of a failed step, and of a refused answer.
FAILED = ("error", "exception", "traceback", "failed", "invalid", "understand")
REJECTED = ("wrong", "incorrect", "not correct")

# Agents end their messages with what is left ("3 steps left and 1 chances"): the last two numbers of this many last
# characters, up to a cap above which a number counts something else.
NUMBERS_WITHIN = 200
LARGEST_NUMBER = 20
NO_NUMBER = -1
_NUMBER = re.compile("[0-9]+")

# Values of the length trees' input lie on this many steps to the unit. On it values and the thresholds between them are
# exact in single precision, so the exported trees branch as their source does; a step is 0.1 % of a length.
GRID = 1024

_DIGITS = slice(ord("0"), ord("9") + 1)
_SYMBOLS = tuple(byte for byte in range(33, 127) if not chr(byte).isalnum())


def normalise(text: str) -> str:
    """Cut the middle out of a long text and put it in lower case.

    Lower case is made here because onnxruntime would ask the machine for a locale; halves of surrogate pairs, which
    JSON may smuggle in, become question marks because onnxruntime takes UTF-8 only.
    """
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"
    return text.encode("utf-8", "replace").decode().lower()


def reading_names(domains: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of what heads for these domains read in a text: a chance of each, then the difficulty."""
    return (*(f"{DOMAIN_PREFIX}{domain}" for domain in domains), DIFFICULTY)


def length_columns(readings: Sequence[str]) -> list[int]:
    """Return which columns of readings with these names the length trees take, in order."""
    return [number for number, name in enumerate(readings) if name.startswith(DOMAIN_PREFIX) or name == DIFFICULTY]


def length_features(readings: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of `length_rows`, in order, for a text graph that reads these."""
    return (
        *REQUEST_FEATURES,
        *(readings[column] for column in length_columns(readings)),
        *TRAIT_FEATURES,
        *APPLICATION_FEATURES,
    )


def text_measures(text: str) -> tuple[int, int, int]:
    """Count the characters, digits and symbols of a normalised text: formulas and code answer longer than prose."""
    counted = byte_counts(text)
    return len(text), sum(counted[_DIGITS]), sum([counted[byte] for byte in _SYMBOLS])


@lru_cache(maxsize=256)
def byte_counts(text: str) -> list[int]:
    """Return how often each of the 256 bytes occurs in a text in UTF-8; not to be changed."""
    counted: list[int] = np.bincount(np.frombuffer(text.encode(), dtype=np.uint8), minlength=256).tolist()
    return counted


def message_measures(message: str) -> tuple[int, int, int, int, int, int, int]:
    """Measure the normalised last message of a later stage; an empty one stands for the first stage, which has none.

    Returns:
        Characters, digits, symbols; whether it tells of a failure, of a refusal; its last number, the one before.
    """
    if not message:
        return (0, 0, 0, 0, 0, NO_NUMBER, NO_NUMBER)
    numbers = _NUMBER.findall(message[-NUMBERS_WITHIN:])
    before, last = [NO_NUMBER, NO_NUMBER, *(min(int(digits[-9:]), LARGEST_NUMBER) for digits in numbers[-2:])][-2:]
    failed, rejected = (any(word in message for word in words) for words in (FAILED, REJECTED))
    return (*text_measures(message), int(failed), int(rejected), last, before)


def request_rows(known: ArrayLike, measures: ArrayLike, messages: ArrayLike) -> Floats:
    """Return one row of `REQUEST_FEATURES` for each request.

    Args:
        known: (n, 5) prompt tokens, 0-based stage, and output tokens: of earlier stages together, of the stage before,
            of the longest of them.
        measures: (n, 3) `text_measures` of its task.
        messages: (n, 7) `message_measures` of its last message.
    """
    rows: Floats = np.empty((len(known), len(REQUEST_FEATURES)))  # type: ignore[arg-type] # always sequences
    rows[:, :5], rows[:, 6:9], rows[:, 9:] = known, measures, messages
    stage = rows[:, 1].copy()
    rows[:, 5] = rows[:, 2] / np.maximum(stage, 1.0)
    np.log1p(rows[:, :12], out=rows[:, :12])
    rows[:, 1] = stage
    return rows


def length_rows(requests: Floats, readings: Floats, traits: Floats, applications: Floats) -> NDArray[np.float32]:
    """Return the input of the length trees, one row for each request with its model.

    Args:
        requests: (n, `REQUEST_FEATURES`), from `request_rows`.
        readings: (n, `length_columns`), what the text graph read, of it what the trees take.
        traits: (n, 3), `TRAIT_FEATURES` of the model.
        applications: (n, `APPLICATION_FEATURES`), from `encodings.Encodings`.

    Returns:
        (n, features), on the grid.
    """
    return on_grid(np.hstack([requests, readings, traits, applications]))


def on_grid(values: Floats) -> NDArray[np.float32]:
    """Return values rounded to the grid, on which single precision is exact."""
    rounded: NDArray[np.float32] = (np.round(values * GRID) / GRID).astype(np.float32)
    return rounded
