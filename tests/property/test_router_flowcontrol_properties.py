"""What holds of the hold queue for every sequence of offers, releases, expiries and withdrawals."""

from collections import Counter

from holdings import ENGINE, KV_TOKENS, MODELS, item
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pools import busy, endpoint, model, snapshot, state

from chimera_router.flowcontrol.queue import HoldQueue
from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Admitted, Held, HoldLimits, Item, Refused
from chimera_router.scheduling.types import DropReason

SLOTS = ENGINE.max_num_seqs
TENANTS = ("x", "y", "z")
items = st.builds(
    item,
    st.sampled_from(TENANTS),
    priority=st.integers(-1, 2),
    rank=st.integers(0, 100),
    cost=st.integers(1, 50),
    size=st.integers(0, 50),
    model=st.sampled_from(MODELS),
    context=st.sampled_from([1, KV_TOKENS // 3, 2 * KV_TOKENS]),
)
limits = st.builds(
    HoldLimits,
    max_requests=st.integers(0, 8),
    max_bytes=st.integers(0, 200),
    per_tenant_max_requests=st.integers(1, 5),
    per_tenant_max_bytes=st.integers(0, 150),
    ttl=st.integers(1, 20),
)


class Engines:
    """Two engines that run what they are sent."""

    def __init__(self) -> None:
        self.running: dict[str, list[Item]] = {name: [] for name in MODELS}

    def room(self) -> Room:
        states = [
            state(endpoint(name, name, port=index + 1), load=busy(len(each), context=self._context(name)))
            for index, (name, each) in enumerate(self.running.items())
        ]
        return Room(snapshot([model(name, ENGINE) for name in MODELS], states), now=0.0, metrics_max_age=5.0)

    def send(self, item: Item, room: Room) -> None:
        """Run it on an endpoint that the room opens to it; there must be one, with a slot and memory."""
        name = room.open_to(item).endpoints[0].endpoint.model
        there = self.running[name]
        assert name == item.lane.model
        assert len(there) < SLOTS
        assert not there or sum(each.context for each in there) + item.context <= KV_TOKENS
        there.append(item)

    def _context(self, name: str) -> int:
        there = self.running[name]
        return round(sum(each.context for each in there) / len(there) + 0.5) if there else 0


class Queueing(RuleBasedStateMachine):
    """Offers, releases, expiries, withdrawals and ends of answers, in any order."""

    @initialize(limits=limits)
    def begin(self, limits: HoldLimits) -> None:
        self.queue, self.engines, self.now = HoldQueue(limits), Engines(), 0.0
        self.waiting: list[Item] = []
        self.ends: Counter[Item] = Counter()
        self.offered: list[Item] = []

    def _dispatch(self) -> None:
        while True:
            room = self.engines.room()
            gone = self.queue.release(room, self.now)
            if gone is None:
                return
            self._first_in_order(gone)
            self.engines.send(gone, room)
            self._end(gone)

    def _first_in_order(self, gone: Item) -> None:
        """Nobody of a higher class, or before it in its tenant's line, could have gone in its place.

        Unless an endpoint was withheld for a large request: looked at only where nobody waits for memory.
        """
        if any(each.context > 1 for each in self.waiting):
            return
        room = self.engines.room()
        for other in self.waiting:
            before = other.priority > gone.priority
            same = (other.tenant, other.priority, other.lane) == (gone.tenant, gone.priority, gone.lane)
            if before or (same and other.rank < gone.rank):
                assert not room.takes(other)

    def _end(self, item: Item) -> None:
        self.ends[item] += 1
        if item in self.waiting:
            self.waiting.remove(item)

    @rule(item=items)
    def offer(self, item: Item) -> None:
        self._dispatch()
        item = _until(item, self.now + self.queue.limits.ttl)
        self.offered.append(item)
        room = self.engines.room()
        match self.queue.offer(item, room, self.now):
            case Admitted():
                self._first_in_order(item)
                self.engines.send(item, room)
                self._end(item)
            case Held(displaced):
                assert item.priority >= 0
                assert all(each.priority < item.priority for each in displaced)
                self.waiting.append(item)
                for each in displaced:
                    self._end(each)
            case Refused(reason=reason, retry_after=seconds):
                assert (reason is DropReason.SHED) == (item.priority < 0)
                assert 1 <= seconds <= self.queue.limits.ttl
                self._end(item)

    @rule(index=st.integers(0, 2 * SLOTS - 1))
    def answer_ends(self, index: int) -> None:
        running = self.engines.running[MODELS[index % 2]]
        if running:
            running.pop(index // 2 % len(running))
        self._dispatch()

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for each in self.queue.expire(self.now):
            assert each.deadline <= self.now
            self._end(each)

    @rule(index=st.integers(0, 7))
    def client_goes_away(self, index: int) -> None:
        if self.waiting:
            gone = self.waiting[index % len(self.waiting)]
            assert self.queue.withdraw(gone, self.now)
            self._end(gone)

    @rule(limits=limits)
    def caps_change(self, limits: HoldLimits) -> None:
        """Later offers obey the new caps; what waits already stays."""
        self.queue.limits = limits
        for each in list(self.waiting):
            self.queue.withdraw(each, self.now)
            self._end(each)

    @invariant()
    def everybody_ends_once(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert all(each in self.queue for each in self.waiting)
        assert self.ends == Counter(each for each in self.offered if each not in self.waiting)

    @invariant()
    def caps_hold(self) -> None:
        caps = self.queue.limits
        assert len(self.waiting) <= caps.max_requests
        assert sum(each.size for each in self.waiting) <= caps.max_bytes
        for tenant in TENANTS:
            own = [each.size for each in self.waiting if each.tenant == tenant]
            assert len(own) <= caps.per_tenant_max_requests
            assert sum(own) <= caps.per_tenant_max_bytes

    @invariant()
    def totals_are_what_waits(self) -> None:
        for priority, totals in self.queue.totals().items():
            own = [each for each in self.waiting if each.priority == priority]
            assert totals.requests == len(own)
            assert totals.size == sum(each.size for each in own)

    @invariant()
    def nobody_waits_past_the_deadline(self) -> None:
        assert all(each.deadline > self.now for each in self.waiting)


def _until(item: Item, deadline: float) -> Item:
    fields = {name: getattr(item, name) for name in ("tenant", "priority", "rank", "cost", "size", "lane", "context")}
    return Item(**fields, deadline=deadline)


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(costs=st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(1, 50)), min_size=10, max_size=60))
def test_tenants_that_wait_are_served_alike(costs: list[tuple[str, int]]) -> None:
    """While two tenants both wait, their tokens served differ by one request of each at most: nobody starves."""
    queue, engines = HoldQueue(HoldLimits()), Engines()
    _crowd(engines)
    waiting = [item(tenant, cost=cost, rank=cost) for tenant, cost in costs]
    for each in waiting:
        assert isinstance(queue.offer(each, engines.room(), 0.0), Held)
    largest = {tenant: max((c for t, c in costs if t == tenant), default=0) for tenant in TENANTS}
    served: Counter[str] = Counter()
    while len(queue):
        engines.running["a"].pop()
        gone = queue.release(engines.room(), 0.0)
        assert gone is not None
        engines.running["a"].append(gone)
        served[gone.tenant] += round(gone.cost)
        waiting.remove(gone)
        still = {each.tenant for each in waiting}
        for one in still:
            for other in still:
                assert abs(served[one] - served[other]) <= largest[one] + largest[other]


@given(ranks=st.lists(st.integers(0, 20), min_size=1, max_size=30), classes=st.data())
def test_order_is_class_then_rank_then_arrival(ranks: list[int], classes: st.DataObject) -> None:
    """One tenant's requests go in exactly this order."""
    queue, engines = HoldQueue(HoldLimits()), Engines()
    _crowd(engines)
    waiting = [item(priority=classes.draw(st.integers(0, 3)), rank=rank) for rank in ranks]
    for each in waiting:
        queue.offer(each, engines.room(), 0.0)

    gone = []
    while len(queue):
        engines.running["a"].pop()
        gone.append(queue.release(engines.room(), 0.0))
        engines.running["a"].append(item())

    assert gone == sorted(waiting, key=lambda each: (-each.priority, each.rank))


def _crowd(engines: Engines) -> None:
    for running in engines.running.values():
        running.extend(item(context=1) for _ in range(SLOTS))
