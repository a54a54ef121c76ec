"""The status of the pool and of its models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chimera_operator.api.conditions import Condition, ConditionType, Finding, conditions
from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pooled_model
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.pooled_model import PooledModelStatus
from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.choosing.picker import Pickers
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.objects import generation_of
from chimera_operator.planning.status.address import url
from chimera_operator.planning.status.assessment import Assessment
from chimera_operator.planning.status.exposure import programmed
from chimera_operator.planning.status.findings import findings
from chimera_operator.planning.status.verdict import verdict
from chimera_operator.rendering.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is told of a pool.

    Attributes:
        pool: The pool's status.
        models: The status of each model's PooledModel.
    """

    pool: PoolStatus
    models: Mapping[str, PooledModelStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a report is about.

    Attributes:
        pool: The pool, with the status that it has.
        observed: What was found.
        models: How its models stand.
        pickers: Its pickers.
        free: The accelerators that are free.
    """

    pool: HeterogeneousModelPool
    observed: Observed
    models: Sequence[Assessment]
    pickers: Pickers
    free: Room


def report(subject: Subject, *, now: datetime) -> Report:
    """Return what is told of a pool."""
    found = {model.name: findings(model, subject.free) for model in subject.models}
    return Report(
        pool=_pool(subject, found, now),
        models={model.name: _model(model, found[model.name], now) for model in subject.models},
    )


def _pool(subject: Subject, found: Mapping[str, Sequence[Finding]], now: datetime) -> PoolStatus:
    pool, models = subject.pool, subject.models
    route = programmed(pool, subject.observed, deciding=subject.pickers.serving)
    wished = sum(each.wished for each in models)
    before, generation = pool.status.conditions if pool.status else (), pool.metadata.generation or 0
    return PoolStatus(
        observed_generation=generation,
        conditions=conditions(before, verdict(models, found, subject.pickers, route), generation=generation, now=now),
        url=url(pool, subject.observed),
        ready_models=f"{sum(map(_serves, found.values()))}/{len(models)}",
        ready_replicas=f"{sum(min(each.serving, each.wished) for each in models)}/{wished}",
        picker=subject.pickers.status,
        models=tuple(model.status(now=now) for model in models),
    )


def _serves(found: Sequence[Finding]) -> bool:
    return any(finding.type == ConditionType.READY and finding.status == "True" for finding in found)


def _model(model: Assessment, found: Sequence[Finding], now: datetime) -> PooledModelStatus:
    scale, selector = model.situation.scale, model.situation.member.selector
    generation = generation_of(scale) if scale else 0
    return PooledModelStatus(
        observed_generation=generation,
        conditions=conditions(_before(scale), found, generation=generation, now=now),
        phase=model.phase,
        revision=model.first.revision,
        replicas=model.active,
        ready_replicas=model.serving,
        selector=",".join(f"{key}={value}" for key, value in sorted(selector.items())),
    )


def _before(scale: Manifest | None) -> tuple[Condition, ...]:
    """Return the conditions that a PooledModel has; none where somebody has left it in a shape that nobody reads."""
    try:
        status = parse_pooled_model(scale).status if scale else None
    except PoolError:
        return ()
    return status.conditions if status else ()
