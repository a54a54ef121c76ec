"""A probe: one question with a known answer, and the set of them that ships with the project."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec

PROBES = Path(__file__).parent / "probes.jsonl"


class Form(StrEnum):
    """How an answer is written, and so how it is compared."""

    NUMBER = "number"
    LITERAL = "literal"
    LETTER = "letter"
    TEXT = "text"


# What is asked for after the question. In the user's message, since templates of some models refuse a system message.
_ASKS = {
    Form.NUMBER: "the number alone",
    Form.LITERAL: "the Python literal alone",
    Form.LETTER: "the letter of the right option alone",
    Form.TEXT: "the answer alone",
}

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with a known answer.

    Attributes:
        id: Unique in its set.
        kind: Of task, such as `dates`.
        level: 1, the easiest of its kind, to 5.
        form: How the answer is written.
        question: As the text heads read it: without what is said about the form of the answer.
        answer: The only right one.
    """

    id: Text
    kind: Text
    level: Annotated[int, msgspec.Meta(ge=1, le=5)]
    form: Form
    question: Text
    answer: Text

    @property
    def group(self) -> str:
        """Name of the probes that are about as easy as this one."""
        return f"{self.kind}-{self.level}"

    @property
    def prompt(self) -> str:
        """The message that a model is sent."""
        asked = f"Think step by step. Then end with a line that gives {_ASKS[self.form]}, as in\nAnswer: …"
        return f"{self.question}\n\n{asked}"


def read_probes(path: Path = PROBES) -> list[Probe]:
    """Return the probes of a file of JSON lines.

    Raises:
        OSError: The file cannot be read.
        msgspec.DecodeError: A line is no probe.
    """
    return [msgspec.json.decode(line, type=Probe) for line in path.read_bytes().splitlines()]


def write_lines(probes: Sequence[Probe]) -> bytes:
    """Return the text of such a file."""
    return b"".join(msgspec.json.encode(probe) + b"\n" for probe in probes)


def digest(probes: Sequence[Probe]) -> str:
    """Return the sha256 of a set, in hex: equal for equal probes in the same order."""
    return hashlib.sha256(write_lines(probes)).hexdigest()


def balanced(probes: Sequence[Probe], *, seed: int) -> list[Probe]:
    """Return the probes in an order that spreads any beginning evenly over kinds and levels.

    Wherever a budget ends the asking, what was asked represents the whole set.
    """
    rng = Random(seed)  # noqa: S311 - an order, no secret
    groups: dict[str, list[Probe]] = {}
    for probe in probes:
        groups.setdefault(probe.group, []).append(probe)
    columns = list(groups.values())
    for column in columns:
        rng.shuffle(column)
    rounds = [[probe for probe in each if probe is not None] for each in zip_longest(*columns)]
    for each in rounds:
        rng.shuffle(each)
    return [probe for each in rounds for probe in each]
