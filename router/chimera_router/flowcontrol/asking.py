"""Describe a request to the hold queue: the model it waits for, what it would take there, and its place."""

from chimera_router.flowcontrol.types import HoldLimits, Item, Lane
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision, SchedulingRequest


def item(  # noqa: PLR0913 - what is known of a request comes from as many places
    request: SchedulingRequest,
    decision: Decision,
    scheduler: Scheduler,
    *,
    tenant: str,
    objective: str,
    size: int,
    limits: HoldLimits,
    wake: float = 0.0,
    now: float,
) -> Item:
    """Return the request as the hold queue sees it. It waits for the model that was chosen for it, on any endpoint.

    To take the next model with room instead would undo the policy's choice: in replays at 0.7 of the engines' capacity,
    with 32 slots each, that lost up to 17 points of score, at equal latency, to a higher price of time.

    Args:
        request: What the scheduler was asked.
        decision: What it answered.
        scheduler: The rules in force.
        tenant: Whose it is.
        objective: The name of its InferenceObjective; empty where it has none.
        size: Bytes of its body.
        limits: In force now.
        wake: Seconds it may wait for the first engine of its model, where there is none yet.
        now: Seconds on the clock of the deadlines.
    """
    rank = scheduler.order.rank(request, decision.prediction)
    tokens = max(1.0, decision.prediction.stage_tokens)
    return Item(
        tenant=tenant,
        priority=limits.objectives.get(objective, 0),
        rank=request.arrival if rank is None else rank,  # engines that get no number serve in order of arrival
        cost=tokens,
        size=size,
        lane=Lane(model=decision.model, subset=request.subset),
        context=request.prompt_tokens + tokens,
        deadline=now + (limits.ttl if decision.endpoint.address else max(limits.ttl, wake)),
    )
