"""Text and programs: what becomes of a word, and what a small Python function returns."""

from pathlib import Path
from random import Random
from typing import NamedTuple

from chimera_training.probes.item import Item
from chimera_training.probes.probe import Form

# Functions `f`, each below a comment with its level and what it takes beside a number.
FUNCTIONS = Path(__file__).parent / "functions.txt"

_WORDS = (
    "harvest", "lantern", "mountain", "python", "quarter", "sandwich", "telescope", "umbrella", "volcano", "whisper",
    "blanket", "carpenter", "diamond", "elephant", "festival", "gardener", "horizon", "journey", "kitchen", "library",
)  # fmt: skip
_VOWELS = "aeiou"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


class _Function(NamedTuple):
    level: int
    takes: str
    source: str


def strings(rng: Random, level: int) -> Item:
    """Return a word and `level` changes to it, one after the other."""
    word = start = rng.choice(_WORDS) + (rng.choice(_WORDS) if level > 2 else "")
    steps = []
    for _ in range(level):
        step, word = _change(rng, word)
        steps.append(step)
    question = f'Take the string "{start}", {", then ".join(steps)}. What is the resulting string?'
    return Item(question, word, Form.TEXT)


def _change(rng: Random, word: str) -> tuple[str, str]:
    """Return a change and what it makes of a word; never nothing."""
    by, letter = rng.randint(2, 4), rng.choice(word)
    changes = [
        ("reverse it", word[::-1]),
        (f"move its first {by} letters to its end, in order", word[by:] + word[:by]),
        ("sort its letters alphabetically", "".join(sorted(word))),
        (f"replace every letter by the one {by} places later in the alphabet (a follows z)", _shifted(word, by)),
        (f'double every "{letter}"', word.replace(letter, 2 * letter)),
        ("remove all its vowels (a, e, i, o, u)", "".join(each for each in word if each not in _VOWELS)),
        ("keep only its letters at odd positions, counted from 1", word[::2]),
    ]
    step, changed = rng.choice([change for change in changes if change[1] and change[1] != word])
    return step, changed


def _shifted(word: str, by: int) -> str:
    return "".join(_ALPHABET[(_ALPHABET.index(letter) + by) % len(_ALPHABET)] for letter in word)


def output(rng: Random, level: int) -> Item:
    """Return a function and a call of it, whose result is found by running it."""
    function = rng.choice([each for each in _functions() if each.level == level])
    numbers = [rng.randint(-9, 30) for _ in range(4 + level)]
    first: str | list[int] = rng.choice(_WORDS) if function.takes == "word" else numbers
    call = f"f({first!r}, {rng.randint(2, 4)})"
    names: dict[str, object] = {}
    exec(f"{function.source}\nresult = {call}", names)  # noqa: S102 - a function of FUNCTIONS
    question = (
        "Here are a Python function and an assertion with an input to it. Complete the assertion with a literal: the "
        f"output of the function, executed on that input.\n\n{function.source}\n\nassert {call} == ??"
    )
    return Item(question, repr(names["result"]), Form.LITERAL)


def _functions() -> list[_Function]:
    blocks = FUNCTIONS.read_text().strip().split("\n\n")
    heads_and_sources = (block.removeprefix("# ").split("\n", 1) for block in blocks)
    return [_Function(int(head.split()[0]), head.split()[1], source) for head, source in heads_and_sources]
