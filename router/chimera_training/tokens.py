"""From text to the token numbers that a transformer reads; defined once for training and the router.

The tokenizer travels with the bundle, so that both cut words alike. The package `tokenizers` is loaded only where a
bundle has one: a picker with a TF-IDF bundle runs without it.
"""

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chimera_training.bundle import TEXT_INPUT
from chimera_training.surface import SURFACE_INPUT, surface

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
TOKEN_INPUTS = (INPUT_IDS, ATTENTION_MASK)

# Share of a long text's tokens that are kept at its beginning, as `features.normalise` does by characters.
HEAD_SHARE = 0.25

TokenNumbers: TypeAlias = NDArray[np.int64]


class TokenizerError(ValueError):
    """The file is no tokenizer that the package `tokenizers` can read."""


class Tokens:
    """Cuts texts into tokens.

    Args:
        tokenizer: Content of a `tokenizer.json`; what it says of truncation and padding is not followed.
        limit: Tokens kept of a text, marks of beginning and end included; at least 1.

    Raises:
        TokenizerError: The content cannot be read.
    """

    def __init__(self, tokenizer: bytes, *, limit: int) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - see the module's first lines

        try:
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception:  # noqa: BLE001 - the package raises nothing narrower
            raise TokenizerError("the tokenizer cannot be read") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.content = tokenizer
        self.limit = limit

    def numbers(self, text: str) -> list[int]:
        """Return the tokens of a normalised text; of a long one those in its middle are left out."""
        numbers: list[int] = self._tokenizer.encode(text).ids
        if len(numbers) <= self.limit:
            return numbers
        head = int(self.limit * HEAD_SHARE)
        return numbers[:head] + numbers[len(numbers) - self.limit + head :]

    def inputs(self, texts: Sequence[str]) -> dict[str, TokenNumbers]:
        """Return the inputs of a transformer for n normalised texts: `TOKEN_INPUTS`, each (n, longest)."""
        return padded([self.numbers(text) for text in texts])


def padded(rows: Sequence[Sequence[int]]) -> dict[str, TokenNumbers]:
    """Return tokens of texts as the inputs of a transformer; padding is masked, so its number means nothing."""
    longest = max([1, *map(len, rows)])
    numbers = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(numbers)
    for place, row in enumerate(rows):
        numbers[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return {INPUT_IDS: numbers, ATTENTION_MASK: mask}


def text_inputs(texts: Sequence[str], tokens: Tokens | None, names: Collection[str]) -> dict[str, Any]:
    """Return what a text graph with inputs of these names is given for normalised texts."""
    inputs: dict[str, Any] = {TEXT_INPUT: np.array(texts, dtype=object).reshape(-1, 1)}
    if SURFACE_INPUT in names:
        inputs[SURFACE_INPUT] = surface(texts)
    if tokens is not None:
        inputs |= tokens.inputs(texts)
    return {name: inputs[name] for name in names}
