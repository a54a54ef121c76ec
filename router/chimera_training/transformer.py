"""A transformer as an encoder of texts, in torch: the mean over the tokens of what its last layer says, to length 1.

Needs the packages of the extra `encoders`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from chimera_training.features import Floats
from chimera_training.tokens import ATTENTION_MASK, INPUT_IDS, Tokens, padded

# Texts of one pass when only reading: larger batches are no faster on a processor, and keep a graphics card busy.
READ_AT_ONCE = 64


class TextTransformer(torch.nn.Module):  # type: ignore[misc] # torch's types are not read
    """Token numbers and their mask, each (n, length), to vectors (n, width) of length 1.

    Args:
        body: A model of the package `transformers` that answers with `last_hidden_state`.
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body

    @property
    def width(self) -> int:
        """Columns of a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Return the vectors."""
        states = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=1)


def device() -> Any:
    """Return where to compute: a graphics card where torch sees one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def tensors(rows: Sequence[Sequence[int]], place: Any) -> tuple[Any, Any]:
    """Return token numbers and their mask."""
    inputs = padded(rows)
    return tuple(torch.from_numpy(inputs[name]).to(place) for name in (INPUT_IDS, ATTENTION_MASK))


def batches(rows: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Return the places of the rows in batches of like length, which need the least padding."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    return [order[first : first + size] for first in range(0, len(order), size)]


def read(model: TextTransformer, tokens: Tokens, texts: Sequence[str]) -> Floats:
    """Return the vectors of normalised texts, (n, width)."""
    rows = [tokens.numbers(text) for text in texts]
    vectors = np.zeros((len(rows), model.width))
    for places, values in _read(model.to(device()).eval(), rows):
        vectors[places] = values
    return vectors


def _read(model: TextTransformer, rows: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], Any]]:
    with torch.inference_mode():
        for places in batches(rows, READ_AT_ONCE):
            yield places, model(*tensors([rows[place] for place in places], device())).cpu().numpy()
