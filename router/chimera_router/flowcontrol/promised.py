"""Count what waits for an endpoint as if it stood in the engine's queue, so that a decision sees the whole line."""

from dataclasses import replace
from heapq import merge
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
    queues = (zip(each.queue.ranks, each.queue.tokens, strict=True) for each in (first, second))
    line = list(merge(*queues, key=itemgetter(0)))
    return Load(
        requests=first.requests + second.requests,
        tokens=first.tokens + second.tokens,
        context=first.context + second.context,
        prefill=first.prefill + second.prefill,
        queue=Queue(ranks=tuple(rank for rank, _ in line), tokens=tuple(tokens for _, tokens in line)),
    )
