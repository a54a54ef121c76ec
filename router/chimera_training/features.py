"""The one definition of what the predictors see; training and the router both call it, so they cannot differ.

A request becomes its text, cut and in lower case (input of the text graph), and a row of numbers for each model (input
of the length trees). The numbers join what is known of the request, what the text graph read in the text, and the
traits of the model. Nothing here may import more than numpy: the router imports this module.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

# Characters kept of a long text: about 500 tokens. Most stay at the end, where agent prompts put the task after their
# preamble; beyond, no text of the recorded data gains and the tokenizer's time grows.
HEAD_CHARACTERS = 500
TAIL_CHARACTERS = 1500

# Words of the text graph. Any other pattern, bigrams over `\b\w\w+\b` above all, is cut differently by onnxruntime.
TOKEN_PATTERN = "[a-zA-Z0-9]+"  # noqa: S105 - a pattern, no secret

REQUEST_FEATURES = (
    "log_prompt_tokens",
    "stage",
    "log_tokens_so_far",
    "log_last_tokens",
    "log_characters",
    "log_digits",
    "log_symbols",
)
DOMAIN_PREFIX = "domain:"
DIFFICULTY = "difficulty"
TRAIT_FEATURES = ("ability", "stage_verbosity", "remaining_verbosity")

# Values of the length trees' input lie on this many steps to the unit. On it values and the thresholds between them are
# exact in single precision, so the exported trees branch as their source does; a step is 0.1 % of a length.
GRID = 1024

_OTHER, _DIGIT, _SYMBOL = range(3)


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, _OTHER, dtype=np.uint8)
    kinds[[byte for byte in range(33, 127) if not chr(byte).isalnum()]] = _SYMBOL
    kinds[[ord(digit) for digit in "0123456789"]] = _DIGIT
    return kinds


_KIND_OF_BYTE = _kinds()


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
    return (*REQUEST_FEATURES, *(readings[column] for column in length_columns(readings)), *TRAIT_FEATURES)


def text_measures(text: str) -> tuple[int, int, int]:
    """Count the characters, digits and symbols of a normalised text: formulas and code answer longer than prose."""
    kinds = np.bincount(_KIND_OF_BYTE[np.frombuffer(text.encode(), dtype=np.uint8)], minlength=3)
    return len(text), int(kinds[_DIGIT]), int(kinds[_SYMBOL])


def request_rows(known: Floats, measures: Floats) -> Floats:
    """Return one row of `REQUEST_FEATURES` for each request.

    Args:
        known: (n, 4) prompt tokens, 0-based stage, output tokens of earlier stages, output tokens of the stage before.
        measures: (n, 3) `text_measures` of its text.
    """
    rows: Floats = np.hstack([np.log1p(known), np.log1p(measures)])
    rows[:, 1] = known[:, 1]
    return rows


def length_rows(requests: Floats, readings: Floats, traits: Floats) -> NDArray[np.float32]:
    """Return the input of the length trees, one row for each request with its model.

    Args:
        requests: (n, 7), from `request_rows`.
        readings: (n, `length_columns`), what the text graph read, of it what the trees take.
        traits: (n, 3), `TRAIT_FEATURES` of the model.

    Returns:
        (n, features), on the grid.
    """
    rows: NDArray[np.float64] = np.round(np.hstack([requests, readings, traits]) * GRID) / GRID
    return rows.astype(np.float32)


def length_rows_of_all(requests: Floats, readings: Floats, traits: Floats) -> NDArray[np.float32]:
    """Return such a row for every request with every model: all models of the first request, then of the second."""
    models, count = len(traits), len(requests)
    return length_rows(
        np.repeat(requests, models, axis=0), np.repeat(readings, models, axis=0), np.tile(traits, (count, 1))
    )
