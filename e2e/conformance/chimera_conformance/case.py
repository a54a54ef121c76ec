"""A case: one rule, where it is written, how much it binds, and the code that looks."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any, Generic, TypeVar

Subject = TypeVar("Subject")


class Level(Enum):
    """How much a rule binds, as RFC 2119 has it. A MUST that fails fails the run."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Profile(Enum):
    """What kind of picker, or of gateway before it, a rule is for."""

    CORE = "core"  # every picker
    BUFFERED = "buffered"  # pickers behind gateways that buffer bodies, which proposal 004 does not ask for
    OPENAI = "openai"  # pickers that read OpenAI's bodies
    HEALTH = "health"
    TLS = "tls"
    LIMITS = "limits"
    ROBUSTNESS = "robustness"
    CONFORMANCE_HEADERS = "conformance-headers"  # pickers set up for GIE's conformance suite
    FALLBACK = "fallback"  # pickers set up to name several endpoints
    EMPTY = "empty"  # a second picker without endpoints


OPTIONAL = frozenset({Profile.BUFFERED, Profile.CONFORMANCE_HEADERS, Profile.FALLBACK, Profile.EMPTY})
DEFAULT = frozenset(Profile) - OPTIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Generic[Subject]):
    """One rule and how to look at it.

    Attributes:
        name: Group and rule, as `destination.metadata-is-set`.
        rule: One sentence.
        source: Where the rule is written.
        alone: Whether other cases would be disturbed while it runs.
        run: Returns where the rule holds; raises a Conclusion where not.
    """

    name: str
    rule: str
    source: str
    level: Level
    profile: Profile
    alone: bool
    run: Callable[[Subject], Awaitable[None]]


def case(
    level: Level, profile: Profile, source: str, *, alone: bool = False
) -> Callable[[Callable[[Subject], Awaitable[None]]], Case[Subject]]:
    """Make a case of a coroutine function: its docstring is the rule, its module and name are the case's name."""

    def made(run: Callable[[Subject], Awaitable[None]]) -> Case[Subject]:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}".replace("_", "-")
        rule = " ".join((run.__doc__ or "").split())
        return Case(name=name, rule=rule, source=source, level=level, profile=profile, alone=alone, run=run)

    return made


def collect(modules: Iterable[ModuleType]) -> tuple[Case[Any], ...]:
    """Return the cases that modules define, in the order they stand there."""
    return tuple(found for module in modules for found in vars(module).values() if isinstance(found, Case))
