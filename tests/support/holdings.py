"""Requests that ask for admission, and pools with and without room for them."""

from collections.abc import Mapping

from pools import busy, endpoint, model, snapshot, state

from chimera_router.flowcontrol.room import Room
from chimera_router.flowcontrol.types import Item, Lane
from chimera_router.scheduling.types import Coefficients

SLOTS = 4
KV_TOKENS = 1000
ENGINE = Coefficients(base_step=0.01, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=SLOTS, kv_tokens=KV_TOKENS)
MODELS = ("a", "b")


def item(
    tenant: str = "t",
    *,
    priority: int = 0,
    rank: float = 0.0,
    cost: float = 10.0,
    size: int = 1,
    model: str = "a",
    subset: frozenset[str] | None = None,
    context: float = 10.0,
    deadline: float = 60.0,
) -> Item:
    return Item(
        tenant=tenant,
        priority=priority,
        rank=rank,
        cost=cost,
        size=size,
        lane=Lane(model=model, subset=subset),
        context=context,
        deadline=deadline,
    )


def room(running: Mapping[str, int], *, context: int = 10, now: float = 0.0) -> Room:
    """Return the room of one endpoint a model, `address` model:1, each with so many requests of this picker's."""
    states = [
        state(endpoint(f"{name}-0", name, port=index + 1), load=busy(count, context=context))
        for index, (name, count) in enumerate(running.items())
    ]
    return Room(snapshot([model(name, ENGINE) for name in running], states), now=now, metrics_max_age=5.0)


def replicas(*running: int) -> Room:
    """Return the room of several endpoints of model `a`, each with so many requests of this picker's."""
    states = [
        state(endpoint(f"a-{index}", "a", port=index + 1), load=busy(count)) for index, count in enumerate(running)
    ]
    return Room(snapshot([model("a", ENGINE)], states), now=0.0, metrics_max_age=5.0)


def full() -> Room:
    return room(dict.fromkeys(MODELS, SLOTS))


def free() -> Room:
    return room(dict.fromkeys(MODELS, SLOTS - 1))
