"""Two engines' answers held against each other: which fields there are, and of which type."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Shape = Mapping[str, frozenset[str]]
"""Type names by path; lists count as one element, `[]`."""

ABSENT = "–"

_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A field that two engines do not have alike.

    Attributes:
        place: Which answer, and where in it: `chat: choices[].index`.
        real: Its types in the real one's; empty where it is not there.
        simulated: The same of the simulator's.
    """

    place: str
    real: str
    simulated: str

    def __str__(self) -> str:
        """Return it as patterns see it: `chat: choices[].index | number | string`, a field that is not there `–`."""
        return f"{self.place} | {self.real or ABSENT} | {self.simulated or ABSENT}"


def shape(*values: Any) -> Shape:
    """Return the fields of JSON values, all taken together."""
    found: dict[str, set[str]] = {}
    for value in values:
        for path, kind in _fields(value, ""):
            found.setdefault(path, set()).add(kind)
    return {path: frozenset(kinds) for path, kinds in found.items()}


def differences(answer: str, *, real: Shape, simulated: Shape) -> list[Difference]:
    """Return where a simulated answer is not of the real one's shape.

    A simulated field may be of fewer types than the real one: it has less to say. What lies in a field that the other
    one lacks is not listed beside it.
    """
    return [
        Difference(f"{answer}: {path or '(whole)'}", _words(real.get(path)), _words(simulated.get(path)))
        for path in sorted(real.keys() | simulated.keys())
        if path not in simulated or not simulated[path] <= real.get(path, frozenset())
        if _parent(path) in {"", *(real.keys() & simulated.keys())}
    ]


def unexpected(found: Iterable[Difference], allowed: Mapping[str, str]) -> list[Difference]:
    """Return the differences that no pattern of the allowed ones meets."""
    return [each for each in found if not any(_meets(each, pattern) for pattern in allowed)]


def unneeded(found: Iterable[Difference], allowed: Mapping[str, str]) -> list[str]:
    """Return the patterns that no difference meets."""
    seen = list(found)
    return [pattern for pattern in allowed if not any(_meets(each, pattern) for each in seen)]


def table(found: Iterable[Difference], allowed: Mapping[str, str]) -> str:
    """Return the differences as a table for people, each with its reason."""
    lines = ["| field | vLLM | simulator | why |", "| --- | --- | --- | --- |"]
    for each in sorted(found):
        why = next((reason for pattern, reason in allowed.items() if _meets(each, pattern)), "UNEXPECTED")
        lines.append(f"| {each} | {why} |")
    return "\n".join(lines) + "\n"


def _fields(value: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path, _TYPES[type(value)]
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{path}[]")


def _parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _words(kinds: frozenset[str] | None) -> str:
    return " or ".join(sorted(kinds or ()))


def _meets(difference: Difference, pattern: str) -> bool:
    return fnmatchcase(str(difference), pattern.replace("[]", "[[]]"))
