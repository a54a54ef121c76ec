"""Requests that wait in a picker in virtual time: the router's own hold queue, over simulated engines.

As the router's `holding` module is the queue's shell on an event loop, this is its shell in virtual time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chimera_bench.replay.simulated_pool import SimulatedPool
from chimera_router.flowcontrol import asking
from chimera_router.flowcontrol.promised import with_promised
from chimera_router.flowcontrol.queue import HoldQueue
from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Admitted, HoldLimits, Item, Refused
from chimera_router.parsing.messages import CHARACTERS_PER_TOKEN
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision, PoolSnapshot, Predictions, Rejection, SchedulingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What happens to a request once it has waited.

    Attributes:
        begin: Sends it to one of the endpoints of a snapshot, at once.
        refuse: Turns it away.
    """

    begin: Callable[[PoolSnapshot], None]
    refuse: Callable[[], None]


class Holding:
    """The hold queue of one picker, and those who wait in it: all of one tenant and one class.

    Args:
        pool: The engines; tells when they may have got room.
        scheduler: Chooses the model of each request when it comes.
        limits: Caps, and the time to live.
    """

    def __init__(self, pool: SimulatedPool, scheduler: Scheduler, limits: HoldLimits) -> None:
        self._pool = pool
        self._scheduler = scheduler
        self._queue = HoldQueue(limits)
        self._waiting: dict[Item, tuple[Turn, Ticket]] = {}
        self._promised = Ledger()
        pool.on_room(self.wake)

    def __len__(self) -> int:
        return len(self._queue)

    def ask(self, request: SchedulingRequest, predictions: Predictions, turn: Turn) -> None:
        """Let a request begin, wait for the model that suits it now, or be refused; `turn` is told, now or later."""
        now, snapshot = self._pool.time.now, self._pool.snapshot()
        expected = with_promised(snapshot, self._promised) if self._queue else snapshot
        chosen = self._scheduler.schedule(request, predictions, expected, now)
        if isinstance(chosen, Rejection):
            turn.refuse()
        else:
            self._admit(self._item(request, chosen), request, chosen, turn)

    def wake(self) -> None:
        """Refuse those who have waited long enough, and let go whom the engines can take."""
        if not self._queue:
            return
        now = self._pool.time.now
        for item in self._queue.expire(now):
            self._end(item).refuse()
        while (first := self._queue.release(room := self._room(), now)) is not None:
            self._end(first).begin(room.open_to(first))

    def _item(self, request: SchedulingRequest, chosen: Decision) -> Item:
        return asking.item(
            request,
            chosen,
            self._scheduler,
            tenant="",
            objective="",
            size=request.prompt_tokens * CHARACTERS_PER_TOKEN,
            limits=self._queue.limits,
            now=self._pool.time.now,
        )

    def _admit(self, item: Item, request: SchedulingRequest, chosen: Decision, turn: Turn) -> None:
        self.wake()
        room = self._room()
        outcome = self._queue.offer(item, room, self._pool.time.now)
        if isinstance(outcome, Refused):
            turn.refuse()
        elif isinstance(outcome, Admitted):
            turn.begin(room.open_to(item))
        else:
            self._waiting[item] = turn, self._promised.open(chosen, prompt_tokens=request.prompt_tokens)
            self._pool.time.call_at(item.deadline, self.wake)

    def _end(self, item: Item) -> Turn:
        turn, ticket = self._waiting.pop(item)
        self._promised.close(ticket)
        return turn

    def _room(self) -> Room:
        now = self._pool.time.now
        return Room(self._pool.snapshot(), now=now, metrics_max_age=self._scheduler.metrics_max_age)
