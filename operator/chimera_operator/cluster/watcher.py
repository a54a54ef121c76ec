"""What it takes to watch: whom to ask, for what, who hears of failures, how time passes meanwhile."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from chimera_operator.cluster import resources
from chimera_operator.cluster.port import Api
from chimera_operator.rendering.kinds import Kind


class MirrorObserver(Protocol):
    """Counts what happens to mirrors; see `telemetry.metrics`."""

    def interrupted(self, resource: str, failure: str) -> None:
        """A list or a watch came to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What it takes to watch.

    Attributes:
        api: The server.
        observer: Hears of failures.
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
        chance: Drawn evenly from 0 to 1.
    """

    api: Api
    observer: MirrorObserver
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Presence(StrEnum):
    """Whether the server has a kind at all."""

    UNKNOWN = "unknown"
    PRESENT = "present"
    """And the store has what the server has of it."""
    ABSENT = "absent"
    """It does not, or does not show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is mirrored.

    Attributes:
        kind: Of the objects.
        namespace: Theirs; empty for all.
        query: Narrows the list.
    """

    kind: Kind
    namespace: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Path of the list."""
        return resources.path(self.kind, namespace=self.namespace)

    @property
    def name(self) -> str:
        """What logs and metrics call it."""
        return resources.plural(self.kind)
