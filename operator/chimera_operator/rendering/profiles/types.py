"""What an engine profile says."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    """What an engine may be able to do."""

    LORAS = "loras"
    """Load adapters beside the weights."""
    DRAIN = "drain"
    """Let requests in flight finish when it is told to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the processes of an image are to be, where the image itself would have them be root.

    Attributes:
        user: Number of the user.
        group: Number of the group, which owns the volumes too.
    """

    user: int
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProfile:
    """One version of an engine. A pool names it in `engine.profile`; status pins it where the pool names none.

    Attributes:
        name: What it is called.
        image: Image for accelerators. Empty: of the operator's own release.
        cpu_image: Image for CPUs. Empty: of the operator's own release.
        command: Program and the words before its arguments.
        flags: Arguments beside those of the pool's fields: flag to value. The pool's win.
        env: Environment beside that of the pool. The pool's wins.
        health: Path that answers 200 from when the weights are loaded until the engine is dead.
        metrics: What the router calls the names of its metrics.
        shutdown_flag: Takes the seconds that requests in flight get at the end.
        account: Who runs it; None where the image says so itself.
        features: What it can do.
    """

    name: str
    image: str
    cpu_image: str
    command: tuple[str, ...]
    flags: Mapping[str, str]
    env: Mapping[str, str]
    health: str
    metrics: str
    shutdown_flag: str
    account: Account | None
    features: frozenset[Feature]
