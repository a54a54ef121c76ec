"""What one picker has in flight on one endpoint, added up: the sums that an estimate needs."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import field
from itertools import accumulate
from typing import Self

from chimera_router.values import value


@value
class Queue:
    """Requests that have generated nothing yet, in the order in which their engine admits them.

    Attributes:
        ranks: Sorted; of equal ones that which came first is first.
        sums: Output tokens expected of the first none, one, two and so on: one more than there are ranks.
    """

    ranks: tuple[int, ...] = ()
    sums: tuple[float, ...] = (0.0,)

    @classmethod
    def of(cls, ranks: Iterable[int], tokens: Iterable[float]) -> Self:
        """Return the queue of requests in order, each with its rank and expected tokens."""
        return cls(tuple(ranks), (0.0, *accumulate(tokens)))

    def ahead(self, rank: int | None, waiting: int) -> tuple[int, float]:
        """Return how many of the last `waiting` stand before a newcomer, and their tokens.

        Those before them in the queue are taken to be admitted already: an engine admits the lowest rank first.

        Args:
            rank: Of the newcomer; None where the engine serves in order of arrival.
            waiting: Requests here that have no slot.
        """
        everybody = len(self.ranks)
        first = everybody - waiting if everybody > waiting else 0
        last = everybody if rank is None else bisect_right(self.ranks, rank)
        if last <= first:
            return 0, 0.0
        return last - first, self.sums[last] - self.sums[first]


@value(kw_only=True)
class Load:
    """This picker's requests on an endpoint.

    Attributes:
        requests: How many.
        tokens: Output tokens still expected of them, in this stage of their workflows.
        context: Tokens they hold in the KV cache, prompt and output so far.
        prefill: Uncached prompt tokens for each output token, summed over them: what a step prefills on average, since
            each of them brings its prompt once in as many steps as it has tokens.
        queue: Those among them that have generated nothing yet.
    """

    requests: int = 0
    tokens: float = 0.0
    context: int = 0
    prefill: float = 0.0
    queue: Queue = field(default_factory=Queue)


IDLE = Load()
