"""What one picker has in flight on one endpoint, added up: the sums that an estimate needs."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

Place = tuple[int, int]
"""Where a request stands in an engine's queue: its rank, then the order in which it came."""


@dataclass(frozen=True)  # without slots: it keeps the sums it was once asked for
class Queue:
    """Requests that have generated nothing yet, in the order in which their engine admits them.

    Attributes:
        places: Sorted.
        tokens: Output tokens expected of each.
    """

    places: tuple[Place, ...] = ()
    tokens: tuple[float, ...] = ()

    def ahead(self, rank: int | None, *, waiting: int) -> tuple[int, float]:
        """Return how many of the last `waiting` stand before a newcomer, and their tokens.

        Those before them in the queue are taken to be admitted already: an engine admits the lowest rank first.

        Args:
            rank: Of the newcomer; None where the engine serves in order of arrival.
            waiting: Requests here that have no slot.
        """
        first = max(0, len(self.places) - waiting)
        last = len(self.places) if rank is None else bisect_right(self.places, (rank, math.inf))
        if last <= first:
            return 0, 0.0
        return last - first, self._sums[last] - self._sums[first]

    @cached_property
    def _sums(self) -> tuple[float, ...]:
        return (0.0, *accumulate(self.tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """This picker's requests on an endpoint.

    Attributes:
        requests: How many.
        tokens: Output tokens still expected of them, in this stage of their workflows.
        context: Tokens they hold in the KV cache, prompt and output so far.
        queue: Those among them that have generated nothing yet.
    """

    requests: int = 0
    tokens: float = 0.0
    context: int = 0
    queue: Queue = field(default_factory=Queue)


IDLE = Load()
