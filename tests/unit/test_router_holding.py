import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from directors import Clock, FakePredictor, director
from pools import prediction

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.errors import NoEndpoints, Overloaded
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import AnswerStarted, Choose
from chimera_router.scheduling.types import DropReason, EngineMetrics

pytestmark = pytest.mark.anyio

SLOTS = 4  # of each of the two endpoints
LIMITS = HoldLimits(objectives={"urgent": 5, "batch": -1})
OBJECTIVE = wire.OBJECTIVES[1]


def flow(limits: HoldLimits = LIMITS, clock: Callable[[], float] | None = None) -> Director:
    return director(
        FakePredictor(small=prediction(0.4), large=prediction(0.9)), flow_control=limits, clock=clock or Clock()
    )


def asked(text: str = "task", *, pinned: str | None = None, **headers: str) -> Choose:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Choose(request=parse(Api.CHAT, body, Limits()), headers=names, pinned=pinned, subset=None)


async def crowded(made: Director) -> list[Exchange]:
    """Take every slot of the pool."""
    return [await made.choose(asked(f"crowd {number}")) for number in range(2 * SLOTS)]


async def waiting(made: Director, request: Choose | None = None) -> "asyncio.Task[Exchange]":
    """Ask, for the model that `crowd[0]` is on unless told otherwise, and return once the request waits."""
    before = len(made.holding.queue)
    task = asyncio.create_task(made.choose(request or asked(pinned="large")))
    await until(lambda: len(made.holding.queue) > before)
    return task


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


def in_flight(made: Director) -> int:
    return sum(state.load.requests for state in made.snapshot().endpoints)


def count(made: Director, outcome: str, priority: int = 0) -> float | None:
    labels = {"outcome": outcome, "priority": str(priority)}
    return made.metrics.registry.get_sample_value("chimera_flow_control_requests_total", labels)


async def test_request_waits_for_a_slot_and_takes_it() -> None:
    """It is held while the pool is full, and goes where a slot became free; both engines stay within their slots."""
    made = flow()
    crowd = await crowded(made)
    task = await waiting(made)

    crowd[0].close()

    exchange = await task
    assert exchange.decision.endpoint == crowd[0].decision.endpoint
    assert (in_flight(made), len(made.holding.queue), count(made, "dispatched")) == (2 * SLOTS, 0, 2 * SLOTS + 1)


async def test_waiting_changes_no_choice() -> None:
    """Models are chosen as if those who wait stood in the engines' queues; only, no engine gets more than its slots."""
    plain, made = director(FakePredictor(small=prediction(0.4), large=prediction(0.9))), flow()
    there = [(await plain.choose(asked(f"task {number}"))).decision.model for number in range(5 * SLOTS)]
    tasks = [asyncio.create_task(made.choose(asked(f"task {number}"))) for number in range(5 * SLOTS)]
    await until(lambda: in_flight(made) == 2 * SLOTS and len(made.holding.queue) == 3 * SLOTS)

    while not all(task.done() for task in tasks):
        for task in tasks:
            if task.done():
                task.result().close()
        await asyncio.sleep(0)

    assert [(await task).decision.model for task in tasks] == there
    assert set(there) == {"small", "large"}


async def test_flow_control_off_holds_nobody() -> None:
    """Without it requests wait in the engines."""
    made = director(FakePredictor(small=prediction(0.4), large=prediction(0.9)))

    await crowded(made)
    await made.choose(asked())

    assert (in_flight(made), len(made.holding.queue)) == (2 * SLOTS + 1, 0)


async def test_scrape_wakes_those_who_wait() -> None:
    """A foreign request that has gone makes room, as soon as the engine says so."""
    made = flow()
    busy = EngineMetrics(running=SLOTS, waiting=0, kv_usage=0.0, scraped_at=100.0)
    idle = EngineMetrics(running=0, waiting=0, kv_usage=0.0, scraped_at=100.0)
    for state in made.snapshot().endpoints:
        made.datastore.answered(state.endpoint.address, busy)
    task = await waiting(made)

    made.datastore.answered("127.0.0.1:2", idle)

    assert (await task).decision.model == "large"


async def test_objective_goes_before_the_others() -> None:
    """A request of a higher class that came later takes the first slot."""
    made = flow()
    crowd = await crowded(made)
    usual = await waiting(made)
    urgent = await waiting(made, asked(pinned="large", **{OBJECTIVE: "urgent"}))

    crowd[0].close()

    await urgent
    assert (usual.done(), len(made.holding.queue), count(made, "dispatched", 5)) == (False, 1, 1)
    usual.cancel()


async def test_sheddable_request_is_refused_while_the_pool_is_full() -> None:
    """A negative class is served while there is room, and told to come back while there is none."""
    made = flow()
    (await made.choose(asked(**{OBJECTIVE: "batch"}))).close()
    await crowded(made)

    with pytest.raises(Overloaded) as refused:
        await made.choose(asked(**{OBJECTIVE: "batch"}))

    assert (refused.value.reason, count(made, "evicted-priority", -1)) == (DropReason.SHED, 1)


async def test_full_queue_refuses() -> None:
    """Past the cap the newcomer is refused at once; those who wait keep their place."""
    made = flow(HoldLimits(max_requests=1))
    await crowded(made)
    task = await waiting(made)

    with pytest.raises(Overloaded) as refused:
        await made.choose(asked())

    assert (refused.value.reason, task.done()) == (DropReason.CAPACITY, False)
    task.cancel()


async def test_displaced_request_is_refused() -> None:
    """A higher class pushes out the last of a lower one, which gets its answer."""
    made = flow(HoldLimits(max_requests=1, objectives={"urgent": 5}))
    await crowded(made)
    usual = await waiting(made)

    urgent = asyncio.create_task(made.choose(asked(pinned="large", **{OBJECTIVE: "urgent"})))

    with pytest.raises(Overloaded) as refused:
        await usual
    assert (refused.value.reason, made.holding.queue.totals()[5].requests) == (DropReason.SHED, 1)
    urgent.cancel()


async def test_time_to_live_ends_the_wait() -> None:
    """Whoever looks next after the deadline finds the request refused."""
    clock = Clock()
    made = flow(HoldLimits(ttl=5.0), clock)
    await crowded(made)
    task = await waiting(made)

    clock.now += 5.0
    made.holding.wake()

    with pytest.raises(Overloaded) as refused:
        await task
    assert (refused.value.reason, len(made.holding.queue)) == (DropReason.TTL_EXPIRED, 0)


async def test_time_to_live_needs_nobody_to_look() -> None:
    """A timer ends the wait by itself."""
    made = flow(HoldLimits(ttl=0.02), asyncio.get_running_loop().time)
    await crowded(made)

    with pytest.raises(Overloaded) as refused:
        await made.choose(asked())

    assert refused.value.reason is DropReason.TTL_EXPIRED


async def test_cancelled_wait_leaves_nothing() -> None:
    """A client that goes away gives up its place; the next one takes the slot."""
    made = flow()
    crowd = await crowded(made)
    gone, stays = await waiting(made), await waiting(made)

    gone.cancel()
    crowd[0].close()

    assert (await stays).decision.endpoint == crowd[0].decision.endpoint
    assert (gone.cancelled(), len(made.holding.queue), in_flight(made)) == (True, 0, 2 * SLOTS)
    assert (count(made, "cancelled"), made.holding._waiting) == (1, {})


async def test_slot_given_to_one_who_just_left_is_given_on() -> None:
    """Cancelled in the moment between its turn and its waking, a request passes its slot to the next."""
    made = flow()
    crowd = await crowded(made)
    gone, stays = await waiting(made), await waiting(made)

    crowd[0].close()
    gone.cancel()

    await stays
    await until(gone.done)
    assert (gone.cancelled(), len(made.holding.queue), in_flight(made)) == (True, 0, 2 * SLOTS)


async def test_wait_that_ends_as_its_client_leaves_ends_once() -> None:
    """Cancelled in the moment of its deadline, a request is counted as cancelled and disturbs nobody."""
    clock = Clock()
    made = flow(HoldLimits(ttl=5.0), clock)
    await crowded(made)
    task = await waiting(made)

    task.cancel()
    clock.now += 5.0
    made.holding.wake()

    await until(task.done)
    assert (task.cancelled(), count(made, "cancelled"), count(made, "rejected-ttl-expired")) == (True, 1, None)


async def test_request_that_waits_goes_on_when_flow_control_is_switched_off() -> None:
    """A new configuration loses nobody who waits."""
    made = flow()
    crowd = await crowded(made)
    task = await waiting(made)

    made.pool = replace(made.pool, settings=replace(made.pool.settings, flow_control=None))
    await made.choose(asked())
    for exchange in crowd[:SLOTS]:
        exchange.close()

    await task
    assert (in_flight(made), len(made.holding.queue)) == (SLOTS + 2, 0)


async def test_pool_that_is_down_holds_nobody() -> None:
    """Where no endpoint is ready there is nothing to wait for."""
    made = director(flow_control=LIMITS, ready=False)

    with pytest.raises(NoEndpoints):
        await made.choose(asked())


async def test_request_that_fails_in_its_turn_fails_alone() -> None:
    """Its own caller learns of it; whoever made room, and the next in line, go on."""
    made = flow()
    crowd = await crowded(made)
    first, second = await waiting(made), await waiting(made)
    waits = next(iter(made.holding._waiting.values()))

    def broken(*_: object) -> Exchange:
        raise KeyError("broken")

    waits.begin = broken
    crowd[0].close()

    with pytest.raises(KeyError):
        await first
    await second
    assert count(made, "failed") == 1


async def test_pinned_request_waits_for_its_model_only() -> None:
    """A slot of another model is none for it, and others take that."""
    made = flow()
    crowd = await crowded(made)
    pinned, other = await waiting(made), await waiting(made, asked(pinned="small"))

    next(each for each in crowd if each.decision.model == "small").close()

    assert ((await other).decision.model, pinned.done()) == ("small", False)
    pinned.cancel()


async def test_later_stage_waits_for_its_workflow_model() -> None:
    """It keeps the model of its earlier stage, and its place in the queue."""
    made = flow()
    crowd = await crowded(made)
    again = json.dumps(
        {
            "model": "auto",
            "messages": [
                {"role": "user", "content": "crowd 0"},
                {"role": "assistant", "content": "thought"},
                {"role": "user", "content": "observed"},
            ],
        }
    ).encode()
    later = Choose(request=parse(Api.CHAT, again, Limits()), headers={}, pinned=None, subset=None)
    task = await waiting(made, later)
    model = crowd[0].decision.model

    for other in (each for each in crowd if each.decision.model != model):
        other.close()
    assert not task.done()
    crowd[0].close()

    assert (await task).decision.model == model


async def test_waiting_is_measured_apart_from_deciding() -> None:
    """The time in the queue counts as waiting, by class, and not as the picker's own work."""
    clock = Clock()
    made = flow(LIMITS, clock)
    crowd = await crowded(made)
    task = await waiting(made)

    clock.now += 3.0
    crowd[0].close()

    await task
    value = made.metrics.registry.get_sample_value
    labels = {"outcome": "dispatched", "priority": "0"}
    assert value("chimera_flow_control_wait_seconds_sum", labels) == 3.0
    assert value("chimera_decision_seconds_sum") == 0.0


async def test_queue_is_on_the_metrics_page() -> None:
    """Requests, bytes and predicted tokens that wait, by class; no tenant is named."""
    made = flow()
    await crowded(made)
    task = await waiting(made, asked(x_chimera_tenant="secret-tenant"))
    page = made.metrics.page().decode()

    assert 'chimera_flow_control_queue_size{priority="0"} 1.0' in page
    assert 'chimera_flow_control_queue_tokens{priority="0"} 100.0' in page
    assert "chimera_flow_control_queue_bytes" in page
    assert "secret" not in page
    task.cancel()


async def test_unreachable_engine_makes_no_room() -> None:
    """A slot of an engine that is gone is not given out."""
    made = flow()
    crowd = await crowded(made)
    task = await waiting(made)

    crowd[0].started(AnswerStarted(503))
    crowd[0].close()

    assert not task.done()
    task.cancel()
