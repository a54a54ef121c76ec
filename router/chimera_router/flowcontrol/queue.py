"""The hold queue: requests that no engine can take wait here, in order, within caps and for a time."""

import math
from collections.abc import Mapping
from dataclasses import replace
from heapq import heappop, heappush

from chimera_router.flowcontrol.drain import DrainRate
from chimera_router.flowcontrol.lineup import Lineup
from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Admitted, Held, HoldLimits, Item, Refused, Totals
from chimera_router.scheduling.types import DropReason


class HoldQueue:
    """Decides for every request offered: it goes, it waits, or it is refused. One owner.

    Higher classes go strictly before lower ones, tenants of a class by fair shares of predicted tokens, requests of a
    tenant by rank. Nothing goes to an engine without room. Every item ends once: admitted by `offer`, returned by
    `release`, refused by `offer` or as displaced, returned by `expire`, or taken back with `withdraw`.

    Attributes:
        limits: Caps in force; may be replaced at any time, and bind from the next offer on.
    """

    def __init__(self, limits: HoldLimits) -> None:
        self.limits = limits
        self._classes: dict[int, Lineup] = {}
        self._numbers: dict[Item, int] = {}
        self._deadlines: list[tuple[float, int, Item]] = []
        self._arrived = 0
        self._drain = DrainRate()

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, item: Item) -> bool:
        return item in self._numbers

    def totals(self) -> Mapping[int, Totals]:
        """Return what waits, by class."""
        return {priority: replace(lineup.totals) for priority, lineup in self._classes.items()}

    def meant_for(self, model: str) -> Totals:
        """Return what waits for a model."""
        totals = Totals()
        for item in self._numbers:
            if item.lane.model == model:
                totals.add(item)
        return totals

    def offer(self, item: Item, room: Room, now: float) -> Admitted | Held | Refused:
        """Return what becomes of a new request. Release what can go first: the new one must not overtake.

        Args:
            item: The request.
            room: What the engines can take at this moment.
            now: Seconds on the clock of the deadlines.
        """
        self._drain.advance(now, waiting=bool(self))
        self._add(item)
        if self._first(room) is item:
            self._take(item)
            return Admitted()
        displaced = self._make_way(item)
        if displaced is not None:
            return Held(displaced)
        self._remove(item)
        reason = DropReason.SHED if item.priority < 0 else DropReason.CAPACITY
        return Refused(reason=reason, retry_after=self.retry_after(item))

    def release(self, room: Room, now: float) -> Item | None:
        """Return the next item to send to an engine, if any can go; send it and ask again with the room then left."""
        if not self._numbers:
            return None
        self._drain.advance(now, waiting=True)
        item = self._first(room)
        if item is not None:
            self._drain.drained(item.cost)
            self._take(item)
        return item

    def expire(self, now: float) -> list[Item]:
        """Return the items that have waited long enough, which wait no more."""
        self._drain.advance(now, waiting=bool(self))
        expired = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            item = heappop(self._deadlines)[2]
            self._remove(item)
            expired.append(item)
        return expired

    def next_deadline(self) -> float | None:
        """Return when `expire` has something to do, in seconds on the clock of the deadlines."""
        while self._deadlines and self._deadlines[0][2] not in self._numbers:
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def withdraw(self, item: Item, now: float) -> bool:
        """Take back an item that nobody waits for any more; return whether it was still here."""
        self._drain.advance(now, waiting=bool(self))
        if item not in self._numbers:
            return False
        self._remove(item)
        return True

    def retry_after(self, item: Item) -> int:
        """Return whole seconds until what goes before a refused item has drained, at the rate of late.

        At least one and at most the time to live, after which nothing that waits now is here any more.
        """
        ahead = sum(lineup.totals.tokens for priority, lineup in self._classes.items() if priority >= item.priority)
        longest = max(1, math.ceil(self.limits.ttl))
        return max(1, math.ceil(min(float(longest), self._drain.seconds(ahead))))

    def _first(self, room: Room) -> Item | None:
        if room.full:
            return None
        firsts = (self._classes[priority].first(room) for priority in sorted(self._classes, reverse=True))
        return next((item for item in firsts if item is not None), None)

    def _make_way(self, item: Item) -> tuple[Item, ...] | None:
        """Return the items of lower classes that were displaced for one just added; None where it must not wait."""
        if item.priority < 0 or not self._within_caps(item, at_least=item.priority):
            return None
        displaced = []
        while not self._within_caps(item):
            displaced.append(self._least(item))
            self._remove(displaced[-1])
        return tuple(displaced)

    def _within_caps(self, item: Item, *, at_least: int | None = None) -> bool:
        """Return whether the caps hold; with `at_least`, whether they would without the classes below it."""
        limits = self.limits
        lineups = [each for priority, each in self._classes.items() if at_least is None or priority >= at_least]
        whole = [lineup.totals for lineup in lineups]
        own = [lineup.tenants[item.tenant].totals for lineup in lineups if item.tenant in lineup.tenants]
        return _within(whole, limits.max_requests, limits.max_bytes) and _within(
            own, limits.per_tenant_max_requests, limits.per_tenant_max_bytes
        )

    def _least(self, item: Item) -> Item:
        """Return who makes way for an item: of the lowest class, of the tenant that has most there, the last."""
        limits = self.limits
        own = [each.tenants[item.tenant].totals for each in self._classes.values() if item.tenant in each.tenants]
        if not _within(own, limits.per_tenant_max_requests, limits.per_tenant_max_bytes):
            lowest = min(priority for priority, each in self._classes.items() if item.tenant in each.tenants)
            return self._classes[lowest].tenants[item.tenant].last()
        lines = self._classes[min(self._classes)].tenants.values()
        return max(lines, key=lambda line: line.totals.requests).last()

    def _add(self, item: Item) -> None:
        self._arrived += 1
        self._numbers[item] = self._arrived
        self._classes.setdefault(item.priority, Lineup()).add(item, self._arrived)
        heappush(self._deadlines, (item.deadline, self._arrived, item))

    def _take(self, item: Item) -> None:
        self._classes[item.priority].charge(item)
        self._remove(item)

    def _remove(self, item: Item) -> None:
        lineup = self._classes[item.priority]
        lineup.remove(item, self._numbers.pop(item))
        if not lineup.tenants:
            del self._classes[item.priority]


def _within(totals: list[Totals], requests: int, size: int) -> bool:
    return sum(each.requests for each in totals) <= requests and sum(each.size for each in totals) <= size
