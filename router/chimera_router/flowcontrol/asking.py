"""Describe a request to the hold queue: where it may go, what it would take there, and its place."""

from collections.abc import Iterable
from statistics import fmean

from chimera_router.flowcontrol.types import HoldLimits, Item, Lane
from chimera_router.scheduling.policies import Policy, Random, Static, Threshold
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import ModelPrediction, Predictions, SchedulingRequest


def item(  # noqa: PLR0913 - what is known of a request comes from as many places
    request: SchedulingRequest,
    predictions: Predictions,
    scheduler: Scheduler,
    *,
    tenant: str,
    objective: str,
    size: int,
    limits: HoldLimits,
    now: float,
) -> Item:
    """Return the request as the hold queue sees it. What depends on the model is the mean over those it may go to.

    Args:
        request: What the scheduler will be asked.
        predictions: One for each model of the pool.
        scheduler: The rules in force.
        tenant: Whose it is.
        objective: The name of its InferenceObjective; empty where it has none.
        size: Bytes of its body.
        limits: In force now.
        now: Seconds on the clock of the deadlines.
    """
    lane = _lane(request, scheduler)
    known = predictions.by_model
    likely = [known[name] for name in _models(lane) if name in known] or list(known.values())
    return Item(
        tenant=tenant,
        priority=limits.objectives.get(objective, 0),
        rank=fmean(_rank(scheduler, request, prediction) for prediction in likely),
        cost=fmean(max(1.0, prediction.stage_tokens) for prediction in likely),
        size=size,
        lane=lane,
        context={name: request.prompt_tokens + prediction.stage_tokens for name, prediction in known.items()},
        deadline=now + limits.ttl,
    )


def _lane(request: SchedulingRequest, scheduler: Scheduler) -> Lane:
    if request.pinned is not None:
        return Lane(among=frozenset((request.pinned,)), subset=request.subset)
    stays = request.assignment is not None and scheduler.restage is None
    kept = request.assignment.model if request.assignment and stays else None
    return Lane(kept=kept, among=_confined(scheduler.policy), subset=request.subset)


def _confined(policy: Policy) -> frozenset[str] | None:
    """Return the models that a policy ever takes; None where it takes any."""
    match policy:
        case Static(model):
            return frozenset((model,))
        case Threshold(small, large):
            return frozenset((small, large))
        case Random(weights):
            return frozenset(name for name, weight in weights.items() if weight > 0)
        case _:
            return None


def _models(lane: Lane) -> Iterable[str]:
    return (lane.kept,) if lane.kept is not None else lane.among or ()


def _rank(scheduler: Scheduler, request: SchedulingRequest, prediction: ModelPrediction) -> float:
    """Return the engine's number, or where engines get none the time of arrival."""
    rank = scheduler.order.rank(request, prediction)
    return request.arrival if rank is None else rank
