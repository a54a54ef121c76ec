from typing import Any

import pytest
from pools import prediction, predictions, request

from chimera_router.flowcontrol import asking
from chimera_router.flowcontrol.types import HoldLimits, Item, Lane
from chimera_router.scheduling.orders import Arrival, StageFirst
from chimera_router.scheduling.policies import Policy, Random, Slack, Static, Threshold
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Assignment

BOTH = predictions(a=prediction(tokens=100.0), b=prediction(tokens=300.0))
EARLIER = Assignment(model="b", endpoint="10.0.0.1:1")


def asked(scheduler: Scheduler | None = None, objective: str = "", **changes: Any) -> Item:
    limits = HoldLimits(ttl=5.0, objectives={"urgent": 7, "batch": -1})
    return asking.item(
        request(**changes),
        BOTH,
        scheduler or Scheduler(order=StageFirst(aging_rate=0.0)),
        tenant="t",
        objective=objective,
        size=9,
        limits=limits,
        now=10.0,
    )


def test_cost_and_place_are_means_over_the_models_it_may_go_to() -> None:
    """Nobody knows yet which model it will be."""
    free, pinned, later = asked(), asked(pinned="a"), asked(assignment=EARLIER)

    assert [(each.cost, each.rank) for each in (free, pinned, later)] == [(200, 200), (100, 100), (300, 300)]


def test_context_is_known_for_every_model() -> None:
    """The prompt and what the model would answer."""
    assert asked(prompt_tokens=50).context == {"a": 150, "b": 350}


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


@pytest.mark.parametrize(
    ("policy", "among"),
    [
        (Slack(), None),
        (Static("a"), {"a"}),
        (Threshold("a", "b", 0.1), {"a", "b"}),
        (Random({"a": 1.0, "b": 0.0}), {"a"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_request_waits_only_for_models_that_the_policy_takes(policy: Policy, among: set[str] | None) -> None:
    """Room on another model is none."""
    assert asked(Scheduler(policy=policy)).lane.among == among


def test_lane_follows_the_scheduler() -> None:
    """A pin is stronger than the workflow's model, which holds unless restaging is on; the gateway's subset binds."""
    subset = frozenset(("10.0.0.1:1",))

    assert asked(pinned="a", assignment=EARLIER).lane == Lane(among=frozenset("a"))
    assert asked(assignment=EARLIER, subset=subset).lane == Lane(kept="b", subset=subset)
    assert asked(Scheduler(restage=0.1), assignment=EARLIER).lane == Lane()
