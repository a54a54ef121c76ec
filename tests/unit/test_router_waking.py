"""Models that were scaled to zero: asked for, waited for, and never waited for where another one serves."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from directors import Clock, FakePredictor, director
from pools import FAST, endpoint, model, prediction, snapshot, state

from chimera_router import settings
from chimera_router.director import Director
from chimera_router.errors import ConfigError, NoEndpoints, Overloaded
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Choose
from chimera_router.scheduling.asleep import NOWHERE, with_stand_ins
from chimera_router.scheduling.types import DropReason, Endpoint

if TYPE_CHECKING:
    from chimera_router.exchange import Exchange

pytestmark = pytest.mark.anyio

WAKE = 300.0  # seconds
SMALL, LARGE = (
    Endpoint(name=f"{name}-0", address=f"10.0.0.1:{port}", model=name) for port, name in enumerate(("small", "large"))
)


def asked(pinned: str | None = None) -> Choose:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "task"}]}).encode()
    return Choose(request=parse(Api.CHAT, body, Limits()), headers={}, pinned=pinned, subset=None)


def pool(*awake: Endpoint, clock: Clock | None = None) -> Director:
    """Return a director whose models all wake, sure of `large`, with these endpoints only."""
    made = director(
        FakePredictor(small=prediction(0.4), large=prediction(0.9)),
        flow_control=HoldLimits(ttl=5.0),
        clock=clock or Clock(),
    )
    models = {name: replace(each, wake=WAKE) for name, each in made.pool.settings.models.items()}
    made.pool = replace(made.pool, settings=replace(made.pool.settings, models=models))
    listed(made, *awake)
    return made


def listed(made: Director, *endpoints: Endpoint) -> None:
    """Let discovery find these endpoints, and let them answer."""
    made.datastore.replace(endpoints)
    for each in endpoints:
        made.datastore.answered(each.address, None)


async def waiting(made: Director, request: Choose) -> "asyncio.Task[Exchange]":
    task = asyncio.create_task(made.choose(request))
    for _ in range(100):
        if made.holding.queue:
            return task
        await asyncio.sleep(0)
    raise AssertionError("it does not wait")


async def test_request_waits_for_the_first_engine() -> None:
    """It goes there as soon as the engine is ready, with the reasons of its choice."""
    made = pool()
    task = await waiting(made, asked())
    held = made.holding.queue.meant_for("large")

    listed(made, LARGE)

    exchange = await task
    assert (held.requests, exchange.decision.endpoint, len(made.holding.queue)) == (1, LARGE, 0)


async def test_pinned_request_waits_for_its_model() -> None:
    """Others that are awake are not what it asked for."""
    made = pool(LARGE)
    task = await waiting(made, asked(pinned="small"))

    listed(made, LARGE, SMALL)

    assert (await task).decision.model == "small"


async def test_other_model_serves_meanwhile() -> None:
    """A request that leaves the choice to the pool does not wait, but the model that it would have got is asked for."""
    clock = Clock()
    made = pool(SMALL, clock=clock)
    clock.now += 60.0

    exchange = await made.choose(asked())

    assert exchange.decision.model == "small"
    assert made.tally.asked == {"large": clock.now, "small": clock.now}


async def test_waits_longer_than_for_a_slot_but_not_for_ever() -> None:
    """Loading takes longer than an answer; the time to live of flow control is not what counts."""
    clock = Clock()
    made = pool(clock=clock)
    task = await waiting(made, asked())
    clock.now += WAKE - 1.0
    made.holding.wake()
    before = len(made.holding.queue)

    clock.now += 1.0
    made.holding.wake()

    with pytest.raises(Overloaded) as refused:
        await task
    assert (before, refused.value.reason) == (1, DropReason.TTL_EXPIRED)


async def test_model_that_nobody_starts_is_not_waited_for() -> None:
    """Without a time to wait the refusal comes at once."""
    made = director(flow_control=HoldLimits())
    listed(made)

    with pytest.raises(NoEndpoints):
        await made.choose(asked())


def test_stand_ins_are_for_sleepers_alone() -> None:
    """A model with a ready engine needs none; without sleepers the snapshot is the same."""
    models = [model("a", FAST), replace(model("b", FAST), wake=1.0), replace(model("c", FAST), wake=1.0)]
    there = snapshot(models, [state(endpoint("b-0", "b"))])
    stands = with_stand_ins(there).endpoints[1:]
    awake = snapshot(models, [state(endpoint("b-0", "b")), state(endpoint("c-0", "c"))])

    assert [(each.endpoint.model, each.endpoint.address) for each in stands] == [("c", NOWHERE)]
    assert with_stand_ins(awake) is awake


def configured(wake: float | str, **routing: Any) -> float:
    config = {
        "pool": "p",
        "models": [
            {"name": "small", "coefficients": {"baseStepMs": 7, "maxNumSeqs": 9, "kvTokens": "9"}, "wakeSeconds": wake}
        ],
        "discovery": {"file": {"path": "e.json"}},
        "routing": routing,
    }
    return settings.parse(json.dumps(config), base=Path()).models["small"].wake


def test_waiting_is_configured_with_flow_control() -> None:
    """In whose queue the requests wait."""
    assert configured(60.0, flowControl={"enabled": True}) == 60.0


@pytest.mark.parametrize(("wake", "enabled"), [(60.0, False), (-1.0, True), (901.0, True), ("NaN", True)])
def test_waiting_that_cannot_be_is_refused(wake: float | str, *, enabled: bool) -> None:
    """Nowhere to wait, or longer than gateways do."""
    with pytest.raises(ConfigError, match="models: wakeSeconds"):
        configured(wake, flowControl={"enabled": enabled})
