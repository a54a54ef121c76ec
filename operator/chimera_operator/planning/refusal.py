"""Pools that are not accepted: what runs goes on as it is, and the status says why nothing changes."""

from datetime import datetime

from chimera_operator.api.conditions import ConditionType, Finding, conditions
from chimera_operator.api.errors import PoolError
from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.result import Plan
from chimera_operator.planning.status.notes import notes


def refused(error: PoolError, observed: Observed, *, before: PoolStatus | None, generation: int, now: datetime) -> Plan:
    """Return the plan of a pool that breaks a rule: every object stays, none is written.

    Args:
        error: Which rule.
        observed: What was found.
        before: The pool's status, as far as it can be read.
        generation: Of the pool's spec.
        now: The time.
    """
    found = (
        Finding(type=ConditionType.ACCEPTED, status="False", reason="Invalid", message=str(error)),
        Finding(
            type=ConditionType.READY,
            status="Unknown",
            reason="NotAccepted",
            message="what was accepted before goes on running; nobody looks after it until the spec is accepted",
        ),
    )
    last = before or PoolStatus()
    status = last.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions(last.conditions, found, generation=generation, now=now),
        }
    )
    return Plan(
        objects=tuple(observed.objects.values()),
        untouched=frozenset(observed.objects),
        status=status,
        notes=notes(last, status),
        memory=Memory(),
    )
