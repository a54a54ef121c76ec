"""Describe a request to the hold queue: where it may go, what it would take there, and its place."""

from collections.abc import Callable
from statistics import fmean

from chimera_router.flowcontrol.types import HoldLimits, Item, Lane
from chimera_router.scheduling.types import ModelPrediction, Predictions, SchedulingRequest

Rank = Callable[[SchedulingRequest, ModelPrediction], float]


def item(  # noqa: PLR0913 - what is known of a request comes from as many places
    request: SchedulingRequest,
    predictions: Predictions,
    *,
    rank: Rank,
    tenant: str,
    objective: str,
    size: int,
    limits: HoldLimits,
    now: float,
    only: str | None = None,
) -> Item:
    """Return the request as the hold queue sees it. What depends on the model is the mean over those it may go to.

    Args:
        request: What the scheduler will be asked.
        predictions: One for each model of the pool.
        rank: Its place if it went to the model of a prediction; lower goes first, aging included.
        tenant: Whose it is.
        objective: The name of its InferenceObjective; empty where it has none.
        size: Bytes of its body.
        limits: In force now.
        now: Seconds on the clock of the deadlines.
        only: The only model that the policy ever takes, if there is one.
    """
    kept = request.assignment.model if request.assignment else None
    lane = Lane(pinned=request.pinned or only, kept=kept, subset=request.subset)
    known = predictions.by_model
    likely = [known[name] for name in (lane.pinned or kept,) if name in known] or list(known.values())
    return Item(
        tenant=tenant,
        priority=limits.objectives.get(objective, 0),
        rank=fmean(rank(request, prediction) for prediction in likely),
        cost=fmean(max(1.0, prediction.stage_tokens) for prediction in likely),
        size=size,
        lane=lane,
        context={name: request.prompt_tokens + prediction.stage_tokens for name, prediction in known.items()},
        deadline=now + limits.ttl,
    )
