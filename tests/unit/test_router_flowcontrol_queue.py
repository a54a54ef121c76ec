import pytest
from holdings import KV_TOKENS, SLOTS, free, full, item, replicas, room

from chimera_router.flowcontrol.queue import HoldQueue
from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Admitted, Held, HoldLimits, Item, Refused
from chimera_router.scheduling.types import DropReason


def queue(**limits: float) -> HoldQueue:
    return HoldQueue(HoldLimits(**limits))  # type: ignore[arg-type]


def holding(*items: Item, **limits: float) -> HoldQueue:
    """Return a queue in which these wait."""
    made = queue(**limits)
    for each in items:
        assert made.offer(each, full(), 0.0) == Held()
    return made


def released(made: HoldQueue, room: Room | None = None) -> Item | None:
    return made.release(room or free(), 1.0)


def order(made: HoldQueue) -> list[Item]:
    """Return all that waits as it goes, one at a time."""
    return [each for _ in range(len(made)) if (each := released(made))]


def test_request_goes_at_once_while_an_engine_has_room() -> None:
    """Nobody waits for nothing."""
    made = queue()

    assert (made.offer(item(), free(), 0.0), len(made)) == (Admitted(), 0)


def test_request_waits_while_every_engine_is_full() -> None:
    """Without a free slot it is held, and nothing is released."""
    made = holding(item())

    assert (len(made), made.release(full(), 1.0)) == (1, None)


def test_one_request_goes_for_one_look_at_the_room() -> None:
    """The caller sends it and looks again, since only then it knows what room is left."""
    first, second = item(rank=1), item(rank=2)
    made = holding(second, first)

    assert [released(made), released(made), released(made)] == [first, second, None]


def test_least_rank_goes_first_and_the_earlier_of_equals() -> None:
    """Inside a tenant the scheduler's number decides, then the order of arrival."""
    items = [item(rank=rank) for rank in (3, 1, 2, 1)]

    assert order(holding(*items)) == [items[1], items[3], items[2], items[0]]


def test_higher_class_goes_first_whatever_its_rank() -> None:
    """Classes are strict."""
    low, high = item(rank=0), item(priority=5, rank=1e9)

    assert order(holding(low, high)) == [high, low]


def test_tenants_take_turns_by_tokens() -> None:
    """Who asks for twice as many tokens a request goes half as often."""
    large = [item("large", cost=20) for _ in range(3)]
    small = [item("small", cost=10) for _ in range(6)]

    gone = [each.tenant for each in order(holding(*large, *small))]

    assert [gone[:count].count("large") for count in (3, 6, 9)] == [1, 2, 3]


def test_newcomer_does_not_overtake() -> None:
    """With room for one, the one that waits and stands before goes; a better newcomer goes itself."""
    waiting = item(rank=1)
    made = holding(waiting)

    assert made.offer(item(rank=2), free(), 1.0) == Held()
    assert made.offer(item(rank=0), free(), 1.0) == Admitted()


def test_request_for_a_full_model_keeps_nobody_from_another() -> None:
    """A lane that waits for one model leaves the other models to the others."""
    pinned, other = item(rank=0, model="a"), item(rank=1, model="b")
    made = holding(pinned, other)

    assert made.release(room({"a": SLOTS, "b": 0}), 1.0) is other
    assert made.offer(item(model="b"), room({"a": SLOTS, "b": 0}), 1.0) == Admitted()


def test_small_requests_do_not_starve_a_large_one() -> None:
    """The endpoint nearest to having memory for a large request is kept for it; other endpoints go on."""
    large, small = item(rank=0, context=KV_TOKENS - 5), item(rank=1)
    made = holding(large, small)

    assert made.release(replicas(2, 1), 1.0) is small
    assert made.release(replicas(SLOTS, 1), 1.0) is None
    assert made.release(replicas(SLOTS, 0), 1.0) is large


def test_full_queue_refuses() -> None:
    """Past the cap on requests or bytes, globally or of a tenant, there is no waiting."""
    caps: list[dict[str, int]] = [
        {"max_requests": 1},
        {"max_bytes": 7},
        {"per_tenant_max_requests": 1},
        {"per_tenant_max_bytes": 7},
    ]
    for cap in caps:
        made = holding(item(size=5), **cap)

        refused = made.offer(item(size=5), full(), 0.0)

        assert isinstance(refused, Refused), cap
        assert (refused.reason, len(made)) == (DropReason.CAPACITY, 1)


def test_cap_of_a_tenant_binds_nobody_else() -> None:
    """Another tenant's requests still wait."""
    made = holding(item("flood"), per_tenant_max_requests=1)

    assert made.offer(item("other"), full(), 0.0) == Held()


def test_cap_does_not_refuse_what_can_go() -> None:
    """Caps are on waiting."""
    made = holding(item(model="a"), max_requests=1)

    assert made.offer(item(model="b"), room({"a": SLOTS, "b": 0}), 0.0) == Admitted()


def test_sheddable_request_never_waits() -> None:
    """A negative class is served while there is room and refused at once while there is none."""
    made = queue()

    assert made.offer(item(priority=-1), free(), 0.0) == Admitted()
    refused = made.offer(item(priority=-1), full(), 0.0)
    assert isinstance(refused, Refused)
    assert (refused.reason, len(made)) == (DropReason.SHED, 0)


def test_higher_class_displaces_the_last_of_the_lowest() -> None:
    """A full queue makes way: lowest class first, of the tenant that has most there, the last."""
    mid = item(priority=1, rank=9)
    lone, first, last = item("one", rank=8), item("many", rank=1), item("many", rank=2)
    made = holding(mid, lone, first, last, max_requests=4)
    high = item(priority=2)

    assert made.offer(high, full(), 0.0) == Held(displaced=(last,))
    assert order(made) == [high, mid, first, lone]


def test_as_many_make_way_as_the_bytes_need() -> None:
    """A large body may displace several small ones."""
    small = [item(size=4, rank=rank) for rank in range(3)]
    made = holding(*small, max_bytes=12)

    assert made.offer(item(priority=1, size=6), full(), 0.0) == Held(displaced=(small[2], small[1]))


def test_nobody_is_displaced_in_vain() -> None:
    """Where even an empty lower class would not do, all stay and the newcomer is refused."""
    made = holding(item(size=4), item(size=8, priority=2), max_bytes=12)

    assert isinstance(made.offer(item(priority=1, size=6), full(), 0.0), Refused)
    assert len(made) == 2


def test_own_cap_displaces_only_own_requests() -> None:
    """A tenant at its cap makes way for itself."""
    other, own = item("other"), item("own", rank=5)
    made = holding(other, own, per_tenant_max_requests=1)

    assert made.offer(item("own", priority=1), full(), 0.0) == Held(displaced=(own,))


def test_request_expires_at_its_deadline() -> None:
    """What has waited long enough leaves; the next deadline is then the next request's."""
    early, late = item(deadline=10.0), item(deadline=20.0)
    made = holding(late, early)

    assert (made.next_deadline(), made.expire(9.9), made.expire(10.0)) == (10.0, [], [early])
    assert (made.next_deadline(), len(made)) == (20.0, 1)


def test_withdrawn_request_is_gone() -> None:
    """Nobody waits for it: it is neither released nor expired, and cannot be withdrawn again."""
    gone, stays = item(rank=0, deadline=1.0), item(rank=1)
    made = holding(gone, stays)

    assert made.withdraw(gone, 0.5)
    assert not made.withdraw(gone, 0.5)
    assert (made.next_deadline(), made.expire(2.0), order(made)) == (60.0, [], [stays])


@pytest.mark.parametrize(("gap", "expected"), [(1.0, 2), (0.001, 1), (100.0, 60)])
def test_retry_follows_the_drain_rate(gap: float, expected: int) -> None:
    """With two requests before it, the client comes back after two gaps: at least a second, at most the TTL."""
    waiting = [item(rank=rank, deadline=1e6) for rank in range(6)]
    made, now = holding(*waiting), 0.0
    for _ in range(4):
        now += gap
        made.release(free(), now)

    assert made.retry_after(item()) == expected


def test_retry_is_the_ttl_where_nothing_drained() -> None:
    """Without a rate, what waits is gone by the time to live, one way or the other."""
    made = holding(item(), ttl=7.5)

    assert made.retry_after(item()) == 8


def test_retry_counts_only_what_goes_before() -> None:
    """Lower classes do not delay a higher one."""
    made = holding(item(), ttl=7.5)

    assert made.retry_after(item(priority=1)) == 1


def test_totals_are_told_by_class() -> None:
    """What waits is added up for whoever looks."""
    made = holding(item(size=3, cost=5), item(size=4, cost=6), item(priority=2, size=5, cost=7))

    seen = {priority: (each.requests, each.size, each.tokens) for priority, each in made.totals().items()}
    assert seen == {0: (2, 7, 11), 2: (1, 5, 7)}
