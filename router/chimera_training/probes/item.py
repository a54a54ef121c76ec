"""What a generator makes: a question with its answer, before it has a place in the set."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from chimera_training.probes.probe import Form


class Item(NamedTuple):
    """A question, its only right answer, and how that is written."""

    question: str
    answer: str
    form: Form


def number(question: str, answer: Decimal | int) -> Item:
    """Return an item whose answer is an exact number."""
    return Item(question, str(answer), Form.NUMBER)


def rounded(question: str, answer: Decimal) -> Item:
    """Return an item whose answer is asked for, and kept, to two decimals."""
    value = answer.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return Item(f"{question} Round to two decimals.", str(value), Form.NUMBER)


NAMES = (
    "Ana",
    "Bashir",
    "Chen",
    "Dora",
    "Emeka",
    "Farah",
    "Goran",
    "Hana",
    "Ivan",
    "Jun",
    "Kofi",
    "Lena",
    "Mara",
    "Nils",
)
