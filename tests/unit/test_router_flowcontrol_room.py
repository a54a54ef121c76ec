from dataclasses import replace

import pytest
from holdings import ENGINE, KV_TOKENS, SLOTS, item, replicas, room
from pools import busy, endpoint, model, snapshot, state

from chimera_router.flowcontrol.room import Room
from chimera_router.scheduling.load import IDLE, Load
from chimera_router.scheduling.types import EndpointState, EngineMetrics

HOME = endpoint("a-0", "a")


def metrics(running: int = 0, waiting: int = 0, usage: float = 0.0) -> EngineMetrics:
    return EngineMetrics(running=running, waiting=waiting, kv_usage=usage, scraped_at=0.0)


def of(*states: EndpointState, now: float = 0.0) -> Room:
    return Room(snapshot([model("a", ENGINE)], list(states)), now=now, metrics_max_age=5.0)


def one(load: Load = IDLE, said: EngineMetrics | None = None, then: Load = IDLE, now: float = 0.0) -> Room:
    """Return the room of one endpoint with this load, and its metrics from when the load was another."""
    said = said and replace(said, own=then.requests, own_context=then.context)
    return of(EndpointState(endpoint=HOME, metrics=said, load=load), now=now)


@pytest.mark.parametrize(("running", "takes"), [(0, True), (SLOTS - 1, True), (SLOTS, False)])
def test_engine_takes_as_many_as_it_has_slots(running: int, takes: bool) -> None:  # noqa: FBT001 - expected value
    """A free slot is needed."""
    assert one(busy(running)).takes(item()) is takes


def test_foreign_requests_take_slots() -> None:
    """What the engine says beyond this picker's own counts, running or waiting."""
    assert not one(busy(1), metrics(running=3, waiting=1), then=busy(1)).takes(item())


def test_own_request_that_ended_leaves_its_slot_at_once() -> None:
    """Metrics of a moment when it still ran do not make it a foreign one."""
    said = metrics(running=SLOTS)

    assert not one(busy(SLOTS), said, then=busy(SLOTS)).takes(item())
    assert one(busy(SLOTS - 1), said, then=busy(SLOTS)).takes(item())


def test_foreign_requests_stay_until_the_engine_says_otherwise() -> None:
    """Own requests come and go beside them."""
    said = metrics(running=SLOTS)

    assert not one(busy(3), said, then=busy(3)).takes(item())
    assert one(busy(2), said, then=busy(3)).takes(item())


def test_own_context_fills_the_cache() -> None:
    """Prompt and predicted tokens must fit beside what is in flight."""
    crowded = one(busy(1, context=KV_TOKENS - 50))

    assert [crowded.takes(item(context=context)) for context in (50, 51)] == [True, False]


def test_foreign_context_fills_the_cache() -> None:
    """What the engine says of its cache beyond this picker's own counts."""
    shared = one(busy(1, context=100), metrics(running=2, usage=0.5), then=busy(1, context=300))

    assert [shared.takes(item(context=context)) for context in (700, 701)] == [True, False]


def test_idle_engine_takes_anything() -> None:
    """A request larger than the cache is the engine's to refuse; waiting would not make it fit."""
    assert one().takes(item(context=10 * KV_TOKENS))


def test_old_metrics_count_for_nothing() -> None:
    """What the engine said too long ago is not believed."""
    said = metrics(running=SLOTS)

    assert [one(IDLE, said, then=IDLE, now=now).takes(item()) for now in (5.0, 5.1)] == [False, True]


def test_endpoint_that_is_not_ready_has_no_room() -> None:
    """It takes nothing."""
    down = of(state(HOME, ready=False))

    assert (down.takes(item()), down.full) == (False, True)


def test_subset_binds() -> None:
    """Room where the gateway does not allow the request is none."""
    both = replicas(SLOTS, 0)

    assert both.takes(item(subset=frozenset(("10.0.0.1:2",))))
    assert not both.takes(item(subset=frozenset(("10.0.0.1:1",))))


def test_room_of_another_model_is_none() -> None:
    """A request waits for the model that was chosen for it."""
    both = room({"a": SLOTS, "b": 0})

    assert (both.takes(item(model="a")), both.takes(item(model="b"))) == (False, True)


def test_choice_is_among_endpoints_with_room() -> None:
    """The scheduler sees only those, whatever else is ready."""
    open_to = replicas(SLOTS, 0).open_to(item())

    assert [each.endpoint.name for each in open_to.endpoints] == ["a-1"]


def test_withheld_endpoint_is_the_one_nearest_to_having_room() -> None:
    """It is kept from everybody behind; once nothing is left to keep, that is said."""
    large = item(context=KV_TOKENS)
    both = replicas(3, 1)

    assert both.withhold(large)
    assert [each.endpoint.name for each in both.open_to(item()).endpoints] == ["a-0"]
    assert (both.withhold(large), both.withhold(large), both.full) == (True, False, True)
