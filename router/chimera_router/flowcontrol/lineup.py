"""One priority class: its tenants take turns by fair shares, each tenant's requests go by rank."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.shares import FairShares
from chimera_router.flowcontrol.types import Item, Lane, Totals

Entry = tuple[float, int, Item]
"""Rank, order of arrival, item: the order of arrival settles every tie."""


@dataclass(slots=True)
class TenantLine:
    """What one tenant has waiting in the class, by lane, each in order."""

    totals: Totals = field(default_factory=Totals)
    lanes: dict[Lane, list[Entry]] = field(default_factory=dict)

    def last(self) -> Item:
        """Return the item that would go last."""
        return max(entries[-1] for entries in self.lanes.values())[2]


class Lineup:
    """Everything that waits in one class."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.tenants: dict[str, TenantLine] = {}
        self._shares = FairShares()

    def add(self, item: Item, number: int) -> None:
        """Let an item wait; `number` is its order of arrival."""
        if item.tenant not in self.tenants:
            self.tenants[item.tenant] = TenantLine()
            self._shares.enter(item.tenant)
        line = self.tenants[item.tenant]
        insort(line.lanes.setdefault(item.lane, []), (item.rank, number, item))
        line.totals.add(item)
        self.totals.add(item)

    def remove(self, item: Item, number: int) -> None:
        """Take an item out, whatever for."""
        line = self.tenants[item.tenant]
        entries = line.lanes[item.lane]
        del entries[bisect_left(entries, (item.rank, number, item))]
        if not entries:
            del line.lanes[item.lane]
        line.totals.add(item, times=-1)
        self.totals.add(item, times=-1)
        if not line.lanes:
            del self.tenants[item.tenant]
            self._shares.leave(item.tenant)

    def charge(self, item: Item) -> None:
        """Charge the tenant for an item that goes to an engine; before it is removed."""
        self._shares.charge(item.tenant, item.cost)

    def first(self, room: Room) -> Item | None:
        """Return the first item, in order, that the room takes; those before it keep an endpoint from it each."""
        heap = [(self._shares.tag(tenant), *entries[0], entries, 0) for tenant, entries in self._lanes()]
        heapify(heap)
        while heap:
            tag, _, _, item, entries, index = heappop(heap)
            if room.takes(item):
                return item
            if room.withhold(item) and index + 1 < len(entries):
                heappush(heap, (tag, *entries[index + 1], entries, index + 1))
        return None

    def _lanes(self) -> Iterator[tuple[str, list[Entry]]]:
        for tenant, line in self.tenants.items():
            for entries in line.lanes.values():
                yield tenant, entries
