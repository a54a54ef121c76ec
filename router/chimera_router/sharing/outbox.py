"""Workflows that have changed and of which the other pickers have not been told. Bounded; pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chimera_router.workflow.evidence import KEYS
from chimera_router.workflow.program import Program

# Workflows that wait: those of a minute at 150 a second. Past it the ones that have waited longest are given up.
LARGEST = 10_000


@dataclass(slots=True)
class Outbox:
    """Workflows by the order in which they first changed, each once, with the digests that lead to it of late.

    Attributes:
        dropped: Workflows given up so far.
    """

    largest: int = LARGEST
    dropped: int = 0
    _waiting: dict[Program, deque[bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, program: Program, keys: Iterable[bytes]) -> None:
        """Let a workflow wait; its oldest digests are given up past the bound of the table."""
        waiting = self._waiting.get(program)
        if waiting is None:
            self._make_room()
            waiting = self._waiting[program] = deque(maxlen=KEYS)
        waiting.extend(keys)

    def take(self, count: int) -> dict[Program, deque[bytes]]:
        """Return the workflows that have waited longest, which then wait no more."""
        first = list(self._waiting)[:count]
        return {program: self._waiting.pop(program) for program in first}

    def put_back(self, taken: Mapping[Program, Iterable[bytes]]) -> None:
        """Let workflows wait that could not be told of, behind those that came meanwhile."""
        for program, keys in taken.items():
            since = self._waiting.pop(program, ())
            self.add(program, (*keys, *since))

    def _make_room(self) -> None:
        while len(self._waiting) >= self.largest:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
