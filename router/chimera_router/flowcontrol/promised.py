"""Count what waits for an endpoint as if it stood in the engine's queue, so that a decision sees the whole line."""

from dataclasses import replace
from heapq import merge
from itertools import pairwise
from operator import itemgetter

from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.load import IDLE, Load, Queue
from chimera_router.scheduling.types import EndpointState, PoolSnapshot


def with_promised(snapshot: PoolSnapshot, promised: Ledger) -> PoolSnapshot:
    """Return the snapshot with the promised requests added to what is in flight.

    Args:
        snapshot: The pool at this moment.
        promised: The requests that wait in the picker, each at the endpoint it was meant for when it came.
    """
    return replace(snapshot, endpoints=tuple(_joined(state, promised) for state in snapshot.endpoints))


def _joined(state: EndpointState, promised: Ledger) -> EndpointState:
    waiting = promised.of(state.endpoint.address)
    return state if waiting is IDLE else replace(state, load=_sum(state.load, waiting))


def _sum(first: Load, second: Load) -> Load:
    line = list(merge(_line(first.queue), _line(second.queue), key=itemgetter(0)))
    return Load(
        requests=first.requests + second.requests,
        tokens=first.tokens + second.tokens,
        context=first.context + second.context,
        prefill=first.prefill + second.prefill,
        queue=Queue.of((rank for rank, _ in line), (tokens for _, tokens in line)),
    )


def _line(queue: Queue) -> list[tuple[int, float]]:
    return [(rank, after - before) for rank, (before, after) in zip(queue.ranks, pairwise(queue.sums), strict=True)]
