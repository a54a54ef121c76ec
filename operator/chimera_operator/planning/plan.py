"""From what was observed and what is wished to what is to be done. Told the same, it says the same."""

from datetime import datetime

from chimera_operator.api.errors import PoolError
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.choosing.arrangement import arrangement, waiting
from chimera_operator.planning.choosing.horizon import again, moments
from chimera_operator.planning.choosing.picker import pickers
from chimera_operator.planning.considering import Considered, considered
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.refusal import refused
from chimera_operator.planning.result import Plan
from chimera_operator.planning.status.assessment import Assessment
from chimera_operator.planning.status.notes import notes
from chimera_operator.planning.status.reporting import Subject, report


def plan(pool: HeterogeneousModelPool, observed: Observed, memory: Memory, *, now: datetime) -> Plan:
    """Return what is to be done for a pool.

    Args:
        pool: The pool, with the status that it has.
        observed: What was found in the cluster.
        memory: Of the pool's last plan; empty where there was none.
        now: The time, with its zone.
    """
    try:
        found = considered(pool, observed, memory, now=now)
    except PoolError as error:
        return refused(error, observed, before=pool.status, generation=pool.metadata.generation or 0, now=now)
    picking = pickers(pool, observed, now=now)
    models = _assessments(found, held=picking.come_first(found.rendered, news=_news(pool)))
    names = frozenset(name for model in models for name in model.waiting)
    arranged = arrangement(found.rendered, found.decided.decisions, names)
    subject = Subject(pool=pool, observed=observed, models=models, pickers=picking, free=found.decided.free)
    told = report(subject, now=now)
    return Plan(
        objects=arranged.objects,
        untouched=arranged.untouched,
        status=told.pool,
        models=told.models,
        notes=notes(pool.status or PoolStatus(), told.pool),
        again=_again(found, now),
        memory=found.decided.memory,
    )


def _assessments(found: Considered, *, held: bool) -> tuple[Assessment, ...]:
    return tuple(
        Assessment(
            decision=decision,
            causes=found.causes[decision.situation.name],
            waiting=waiting(decision, held=held),
            held=held,
        )
        for decision in found.decided.decisions
    )


def _news(pool: HeterogeneousModelPool) -> bool:
    """Return whether the pool's spec has changed since its status was written."""
    return pool.status is None or pool.status.observed_generation != pool.metadata.generation


def _again(found: Considered, now: datetime) -> float | None:
    chosen = found.decided
    periods = (now + wish.look_again for wish in chosen.wishes.values() if wish.look_again)
    return again([*moments(found.situations, chosen.memory.free_since), *periods], now=now)
