"""Conditions: what is true of a resource now, since when, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from chimera_operator.api.document import Observed
from chimera_operator.api.scalars import REASON

ConditionStatus = Literal["True", "False", "Unknown"]

LONGEST_MESSAGE = 4096  # characters; more than anybody reads


class ConditionType(StrEnum):
    """What conditions are about. Each says by its `reason` which case it is, and by its `message` what to do."""

    ACCEPTED = "Accepted"
    """The spec keeps all rules and can be rendered for this cluster."""
    PROGRAMMED = "Programmed"
    """Picker, InferencePool and route are there and accepted by the gateway."""
    PROGRESSING = "Progressing"
    """Something is on its way to what the spec asks for."""
    READY = "Ready"
    """Requests are served, every model by at least one replica of its newest revision."""
    DEGRADED = "Degraded"
    """Something that was asked for fails; the message says what."""
    CAPACITY_LIMITED = "CapacityLimited"
    """Accelerators are missing: replicas wait for some, or a rollout goes in place for want of free ones."""


class Condition(Observed):
    """One condition, as Kubernetes has them."""

    type: Annotated[str, Field(pattern=REASON, max_length=64)]
    """What it is about."""
    status: ConditionStatus
    """Whether it holds."""
    reason: Annotated[str, Field(pattern=REASON, max_length=64)]
    """Why, in one word."""
    message: Annotated[str, Field(max_length=LONGEST_MESSAGE)] = ""
    """Why, in a sentence for people."""
    observed_generation: int | None = None
    """Generation of the spec that this is about."""
    last_transition_time: AwareDatetime
    """When `status` last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was just found, before anybody knows since when.

    Attributes:
        type: What it is about.
        status: Whether it holds.
        reason: Why, in one word.
        message: Why, in a sentence for people; what is too long is cut off.
    """

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str = ""


def conditions(
    before: Sequence[Condition], found: Iterable[Finding], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions that hold now; one whose status is what it was keeps its time.

    What is not found is gone. The order is that of what was found.

    Args:
        before: Those of the last status.
        found: What is true now, each type once.
        generation: Generation of the spec that was looked at.
        now: The time, with its zone; fractions of a second are cut off, as Kubernetes keeps none.
    """
    known = {condition.type: condition for condition in before}
    return tuple(_condition(known.get(finding.type), finding, generation, now) for finding in found)


def _condition(before: Condition | None, finding: Finding, generation: int, now: datetime) -> Condition:
    same = before is not None and before.status == finding.status
    return Condition(
        type=finding.type.value,
        status=finding.status,
        reason=finding.reason,
        message=finding.message[:LONGEST_MESSAGE],
        observed_generation=generation,
        last_transition_time=before.last_transition_time if same and before else now.replace(microsecond=0),
    )
