"""The surface of a text: how long it is, which characters and how many, how its lines and words are laid out.

Formulas, code, tables and prose look different long before a word of them is understood, and how long and how dense a
task is says much of how difficult it is. Training and the router both call this module, so it imports no more than
numpy.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chimera_training.features import byte_counts

SURFACE_INPUT = "surface"  # of the text graph

# Characters counted one by one: those of formulas, code, lists and options.
_CHARACTERS = "\\$([{=?,.:;+-*/^%\"'<>|_&!"

# Words of code, as they stand in its lines.
_CODE = ("for ", "if ", "while", "return")

SURFACE_FEATURES = (
    "characters",
    "words",
    "different_words",
    "characters_a_word",
    "lines",
    "longest_line",
    "deepest_indentation",
    "different_characters",
    "digits",
    *(f"character:{character}" for character in _CHARACTERS),
    *(f"code:{word.strip()}" for word in _CODE),
)

_CODES = [ord(character) for character in _CHARACTERS]
_DIGITS = slice(ord("0"), ord("9") + 1)


def surface(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return `SURFACE_FEATURES` of normalised texts as log(1 + count), (texts, features)."""
    rows = np.array([_counts(text) for text in texts], dtype=np.float64).reshape(-1, len(SURFACE_FEATURES))
    return np.log1p(rows).astype(np.float32)


def _counts(text: str) -> list[float]:
    occurrences = byte_counts(text)
    words, lines = text.split(), text.split("\n")
    return [
        len(text),
        len(words),
        len(set(words)),
        len("".join(words)) / max(1, len(words)),
        len(lines),
        max(map(len, lines)),
        max((len(line) - len(line.lstrip()) for line in lines if line[:1].isspace()), default=0),
        256 - occurrences.count(0),
        sum(occurrences[_DIGITS]),
        *[occurrences[code] for code in _CODES],
        *map(text.count, _CODE),
    ]
