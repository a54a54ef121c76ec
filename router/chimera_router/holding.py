"""Make requests wait while no engine can take them. The hold queue decides; this waits, wakes and counts.

Runs on the event loop. Whoever may have made room calls `wake`: an exchange that closed, a scrape that answered.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from chimera_router.errors import Overloaded
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol.promised import with_promised
from chimera_router.flowcontrol.queue import HoldQueue
from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Admitted, HoldLimits, Item, Refused
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.types import Decision, DropReason, PoolSnapshot
from chimera_router.telemetry.flow import FlowMetrics, QueueCollector

Begin = Callable[[PoolSnapshot], Exchange]
"""Decides among the endpoints of a snapshot and takes a place in the ledger, at once."""

DISPATCHED = "dispatched"
CANCELLED = "cancelled"
FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class _Waiting:
    begin: Begin
    ticket: Ticket
    answer: asyncio.Future[Exchange]
    since: float


class Holding:
    """The hold queue of one picker, and those who wait in it.

    Args:
        room: Returns what the engines can take at this moment.
        clock: Seconds on a monotonic clock.
        registry: Where the metrics go.
    """

    def __init__(self, *, room: Callable[[], Room], clock: Callable[[], float], registry: CollectorRegistry) -> None:
        self.queue = HoldQueue(HoldLimits())
        self._room = room
        self._clock = clock
        self._metrics = FlowMetrics(registry)
        self._waiting: dict[Item, _Waiting] = {}
        self._promised = Ledger()
        self._timer: asyncio.TimerHandle | None = None
        registry.register(QueueCollector(self.queue.totals))

    def expected(self, snapshot: PoolSnapshot) -> PoolSnapshot:
        """Return the snapshot with those who wait, each in the line of the endpoint it was meant for."""
        return with_promised(snapshot, self._promised) if self.queue else snapshot

    async def admit(self, item: Item, decision: Decision, begin: Begin, limits: HoldLimits) -> Exchange:
        """Return the exchange that the item begins once an endpoint of the model decided on can take it.

        Raises:
            Overloaded: It may not wait, or has waited long enough.
        """
        self.queue.limits = limits
        self.wake()
        room = self._room()
        outcome = self.queue.offer(item, room, self._clock())
        if isinstance(outcome, Refused):
            self._metrics.ended(outcome.reason, item.priority)
            raise Overloaded(reason=outcome.reason, retry_after=outcome.retry_after)
        if isinstance(outcome, Admitted):
            self._metrics.ended(DISPATCHED, item.priority)
            return begin(room.open_to(item))
        for displaced in outcome.displaced:
            self._refuse(displaced, DropReason.SHED)
        return await self._wait(item, decision, begin)

    def wake(self) -> None:
        """Refuse those who have waited long enough, and let go whom the engines can take."""
        if not self.queue:
            return
        for item in self.queue.expire(self._clock()):
            self._refuse(item, DropReason.TTL_EXPIRED)
        while (first := self.queue.release(room := self._room(), self._clock())) is not None:
            self._begin(first, room.open_to(first))
        self._set_timer()

    async def _wait(self, item: Item, decision: Decision, begin: Begin) -> Exchange:
        prompt_tokens = round(item.context - item.cost)
        ticket = self._promised.open(decision, prompt_tokens=prompt_tokens)
        answer: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self._waiting[item] = _Waiting(begin=begin, ticket=ticket, answer=answer, since=self._clock())
        self._set_timer()
        try:
            return await answer
        except asyncio.CancelledError:
            self._abandon(item, answer)
            raise

    def _abandon(self, item: Item, answer: "asyncio.Future[Exchange]") -> None:
        """Leave nothing behind of a request whose client went away, before or just after its turn came."""
        if self.queue.withdraw(item, self._clock()):
            self._end(item, CANCELLED)
        elif answer.done() and not answer.cancelled() and answer.exception() is None:
            answer.result().close()
        self.wake()

    def _begin(self, item: Item, snapshot: PoolSnapshot) -> None:
        waiting = self._waiting[item]
        if waiting.answer.cancelled():  # its task has yet to notice
            self._end(item, CANCELLED)
            return
        try:
            exchange = waiting.begin(snapshot)
        except Exception as error:  # noqa: BLE001 - it is the waiting request's, and not of whoever made room
            self._end(item, FAILED)
            waiting.answer.set_exception(error)
        else:
            self._end(item, DISPATCHED)
            waiting.answer.set_result(exchange)

    def _refuse(self, item: Item, reason: DropReason) -> None:
        answer = self._waiting[item].answer
        self._end(item, CANCELLED if answer.cancelled() else reason)
        if not answer.cancelled():
            answer.set_exception(Overloaded(reason=reason, retry_after=self.queue.retry_after(item)))

    def _end(self, item: Item, outcome: str) -> None:
        waiting = self._waiting.pop(item)
        self._promised.close(waiting.ticket)
        self._metrics.ended(outcome, item.priority, waited=self._clock() - waiting.since)

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        deadline = self.queue.next_deadline()
        if deadline is not None:
            later = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(later, self.wake)
