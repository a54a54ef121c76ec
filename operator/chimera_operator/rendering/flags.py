"""Command lines on which the user has the last word."""

from collections.abc import Iterable, Sequence
from itertools import chain

Flag = tuple[str, ...]
"""A flag and its values; the flag alone where it is a switch."""


def command_line(ours: Iterable[Flag], arguments: Sequence[str]) -> list[str]:
    """Return our flags but those that the arguments set too, then the arguments.

    A flag given twice would be read by its last value; here it is there once, so that a person sees what holds.
    """
    told = [_name(argument) for argument in arguments if argument.startswith("-")]
    kept = [flag for flag in ours if not any(_sets(name, flag[0]) for name in told)]
    return [*chain.from_iterable(kept), *arguments]


def _name(argument: str) -> str:
    """Return the flag of an argument, spelt as ours are: vLLM's parser takes `--a_b` and `--a=1` as well."""
    return argument.partition("=")[0].replace("_", "-")


def _sets(told: str, ours: str) -> bool:
    """Return whether a flag decides what ours would: the same, its negation, or an abbreviation of it."""
    return _positive(told) == _positive(ours) or (told.startswith("--") and told != "--" and ours.startswith(told))


def _positive(flag: str) -> str:
    return flag.replace("--no-", "--", 1) if flag.startswith("--no-") else flag
