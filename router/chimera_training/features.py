"""The one definition of what the predictors see; training and the router both call it, so they cannot differ.

A request becomes its text, cut and in lower case (input of the text graph), and a row of numbers for each model (input
of the length trees). The numbers join what is known of the request, what the text graph read in the text, and the
traits of the model. Nothing here may import more than numpy: the router imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    "log_characters",
    "log_digits",
    "log_symbols",
    "stage",
    "log_tokens_so_far",
    "log_last_tokens",
)
TRAIT_FEATURES = ("ability", "stage_verbosity", "remaining_verbosity")

_OTHER, _DIGIT, _SYMBOL = range(3)


def _kinds() -> NDArray[np.uint8]:
    kinds = np.full(256, _OTHER, dtype=np.uint8)
    kinds[[byte for byte in range(33, 127) if not chr(byte).isalnum()]] = _SYMBOL
    kinds[[ord(digit) for digit in "0123456789"]] = _DIGIT
    return kinds


_KIND_OF_BYTE = _kinds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """What is known of a request besides the model.

    Attributes:
        text: The task, as `normalise` returns it.
        prompt_tokens: Tokens of the whole prompt.
        stage: 0-based index of the request in its workflow.
        tokens_so_far: Output tokens of earlier stages.
        last_tokens: Output tokens of the stage before; 0 at the first.
    """

    text: str
    prompt_tokens: float
    stage: int
    tokens_so_far: float
    last_tokens: float


def normalise(text: str) -> str:
    """Cut the middle out of a long text and put it in lower case.

    Lower case is made here because onnxruntime would ask the machine for a locale; halves of surrogate pairs, which
    JSON may smuggle in, become question marks because onnxruntime takes UTF-8 only.
    """
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"
    return text.encode("utf-8", "replace").decode().lower()


def length_features(domains: Sequence[str]) -> tuple[str, ...]:
    """Name the columns of `length_rows`, in order, for a text graph that knows these domains."""
    return (*REQUEST_FEATURES, *(f"domain:{domain}" for domain in domains), "difficulty", *TRAIT_FEATURES)


def request_rows(requests: Sequence[RequestFacts]) -> Floats:
    """Return one row of `REQUEST_FEATURES` for each request."""
    return np.array([_request_row(request) for request in requests], dtype=np.float64).reshape(
        -1, len(REQUEST_FEATURES)
    )


def length_rows(requests: Floats, readings: Floats, traits: Floats) -> NDArray[np.float32]:
    """Return a row for every request and every model: all models of the first request, then of the second.

    Args:
        requests: (n, 7), from `request_rows`.
        readings: (n, domains + 1), what the text graph read: a probability for each domain, and the difficulty.
        traits: (m, 3), one row of `TRAIT_FEATURES` for each model.

    Returns:
        (n * m, features), in single precision, as the exported trees compare it.
    """
    by_request = np.repeat(np.hstack([requests, readings]), len(traits), axis=0)
    by_model = np.tile(traits, (len(requests), 1))
    return np.hstack([by_request, by_model]).astype(np.float32)


def _request_row(request: RequestFacts) -> tuple[float, ...]:
    kinds = np.bincount(_KIND_OF_BYTE[np.frombuffer(request.text.encode(), dtype=np.uint8)], minlength=3)
    logs = np.log1p(
        (
            request.prompt_tokens,
            len(request.text),
            kinds[_DIGIT],
            kinds[_SYMBOL],
            request.tokens_so_far,
            request.last_tokens,
        ),
    )
    return (*logs[:4], request.stage, *logs[4:])
