from dataclasses import replace
from typing import Any

import pytest
from pools import busy, endpoint, model, prediction, predictions, request, snapshot, state

from chimera_router.flowcontrol import asking
from chimera_router.flowcontrol.promised import with_promised
from chimera_router.flowcontrol.types import HoldLimits, Item, Lane
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.orders import Arrival, StageFirst
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision

POOL = snapshot([model("a")], [state(endpoint("a-0", "a"), load=busy(2, context=10, queued=[(5, 50.0)]))])
BY_LENGTH = Scheduler(order=StageFirst(aging_rate=0.0))


def decided(scheduler: Scheduler = BY_LENGTH, *, tokens: float = 200.0, **changes: Any) -> Decision:
    decision = scheduler.schedule(request(**changes), predictions(a=prediction(tokens=tokens)), POOL, 0.0)
    assert isinstance(decision, Decision)
    return decision


def asked(scheduler: Scheduler = BY_LENGTH, objective: str = "", **changes: Any) -> Item:
    return asking.item(
        request(**changes),
        decided(scheduler, **changes),
        scheduler,
        tenant="t",
        objective=objective,
        size=9,
        limits=HoldLimits(ttl=5.0, objectives={"urgent": 7, "batch": -1}),
        now=10.0,
    )


def test_request_waits_for_the_model_chosen() -> None:
    """Where the gateway allows it, at the tokens predicted of that model."""
    subset = frozenset(("10.0.0.1:8000",))
    made = asked(subset=subset, prompt_tokens=50)

    assert made.lane == Lane(model="a", subset=subset)
    assert (made.rank, made.cost, made.context) == (200, 200, 250)


def test_engines_in_order_of_arrival_make_a_queue_in_order_of_arrival() -> None:
    """Without numbers for the engine the time of arrival is the place."""
    assert asked(Scheduler(order=Arrival()), arrival=1.8e9).rank == 1.8e9


@pytest.mark.parametrize(("objective", "priority"), [("urgent", 7), ("batch", -1), ("unheard of", 0), ("", 0)])
def test_objective_names_the_class(objective: str, priority: int) -> None:
    """The configuration says which; an unknown name or none is class 0."""
    assert asked(objective=objective).priority == priority


def test_deadline_is_the_time_to_live_from_now() -> None:
    """In seconds on the caller's clock."""
    assert (asked().deadline, asked().size, asked().tenant) == (15.0, 9, "t")


def test_what_waits_stands_in_line() -> None:
    """A decision sees those who wait in the picker as if they stood in the engine's queue, in order."""
    promised = Ledger()
    promised.open(replace(decided(tokens=30.0), priority=3), prompt_tokens=7)

    (seen,) = with_promised(POOL, promised).endpoints

    assert (seen.load.requests, seen.load.tokens, seen.load.context) == (4, 280.0, 37)
    assert (seen.load.queue.ranks, seen.load.queue.sums) == ((3, 5), (0.0, 30.0, 80.0))


def test_nothing_that_waits_changes_nothing() -> None:
    """Endpoints without promises stay the values they are."""
    assert with_promised(POOL, Ledger()).endpoints == POOL.endpoints
