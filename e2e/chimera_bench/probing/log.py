"""The answers so far, kept in a file so that a later run asks only what is missing.

The first line says which probes and which pool the answers belong to; every other line is one answer: whether it was
right and how long it was, never what was asked or said.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from chimera_training.probes.probe import Probe, digest

FORMAT_VERSION = 1

Count = Annotated[int, msgspec.Meta(ge=0)]


class ProbingError(Exception):
    """The pool cannot be probed, or not like this: one sentence that says what to do."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's answer to one probe.

    Attributes:
        model: Its name in the pool.
        probe: Id of the probe.
        right: Whether it gave the right answer.
        given: Whether it gave any.
        cut: Whether the limit on tokens ended it.
        simulated: Whether the engine says that it made the answer up.
        prompt_tokens: As the engine counts them.
        output_tokens: The same.
    """

    model: str
    probe: str
    right: bool
    given: bool
    cut: bool
    simulated: bool
    prompt_tokens: Count
    output_tokens: Count


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format_version: int
    pool: str
    probes: str


class AnswerLog:
    """The file.

    Args:
        path: Made where it does not exist.
        pool: Name of the pool.
        probes: The whole set.

    Attributes:
        answers: All that it holds, in order.

    Raises:
        ProbingError: The file belongs to other probes or another pool, or is no such file.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, *, pool: str, probes: Sequence[Probe]) -> None:
        self._path = path
        header = _Header(format_version=FORMAT_VERSION, pool=pool, probes=digest(probes))
        if not path.exists():
            path.write_bytes(msgspec.json.encode(header) + b"\n")
        first, end, rest = path.read_bytes().partition(b"\n")
        self._check(first if end else b"", header)
        whole = rest[: rest.rfind(b"\n") + 1]
        # A run that was killed may leave a line without its end: that answer is asked for again.
        os.truncate(path, len(first) + 1 + len(whole))
        self.answers = [self._decode(line, number) for number, line in enumerate(whole.splitlines(), start=2)]

    def append(self, answer: Answer) -> None:
        """Keep an answer, whatever becomes of this program."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(answer) + b"\n")
        self.answers.append(answer)

    def _check(self, line: bytes, expected: _Header) -> None:
        try:
            found = msgspec.json.decode(line, type=_Header)
        except msgspec.DecodeError:
            raise ProbingError(f"{self._path}: line 1 is not that of a file of answers; move the file away") from None
        if found.format_version != FORMAT_VERSION or found.probes != expected.probes:
            raise ProbingError(
                f"{self._path}: its answers are to another set of probes; move the file away, or choose another --out"
            )
        if found.pool != expected.pool:
            raise ProbingError(
                f"{self._path}: its answers are of the pool {found.pool}, not of {expected.pool}; choose another --out"
            )

    def _decode(self, line: bytes, number: int) -> Answer:
        try:
            return msgspec.json.decode(line, type=Answer)
        except msgspec.DecodeError:
            raise ProbingError(f"{self._path}: line {number} is no answer; remove the line") from None
