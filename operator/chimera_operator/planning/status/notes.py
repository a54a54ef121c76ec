"""What is worth an Event: what has changed between two statuses.

So nothing is told twice, by this operator or the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chimera_operator.api.conditions import Condition, ConditionType
from chimera_operator.api.status import ModelStatus, PoolStatus

BAD = {
    ConditionType.ACCEPTED: "False",
    ConditionType.PROGRAMMED: "False",
    ConditionType.READY: "False",
    ConditionType.CAPACITY_LIMITED: "True",
}
"""Conditions whose changes are told, with the status that is a warning. What the others say, models' own notes do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that happened to a pool.

    Attributes:
        type: As Events have it.
        reason: What happened, in one word: a condition's or failure's reason, or one of those below.
        message: In a sentence; of a model it begins with the model's name.
        key: Tells it from other notes of the pool: the same again is the same note.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    key: str


def notes(before: PoolStatus, after: PoolStatus) -> tuple[Note, ...]:
    """Return what is worth telling of a change of status."""
    known = {model.name: model for model in before.models}
    of_models = (note for model in after.models for note in _of_model(known.get(model.name), model))
    return (*_of_conditions(before, after), *of_models)


def _of_conditions(before: PoolStatus, after: PoolStatus) -> Iterator[Note]:
    known = {condition.type: condition for condition in before.conditions}
    for kind, bad in BAD.items():
        now = next((condition for condition in after.conditions if condition.type == kind), None)
        if now and _news(known.get(kind), now, bad):
            warns = now.status == bad
            message = now.message or f"{kind} is {now.status}"
            key = f"{kind}/{now.reason}"
            yield Note(type="Warning" if warns else "Normal", reason=now.reason, message=message, key=key)


def _news(before: Condition | None, now: Condition, bad: str) -> bool:
    """Return whether a condition says something new; that all is well from the start is none."""
    if now.type == ConditionType.READY:  # whether it serves, not why it does not yet
        return now.status != ("False" if before is None else before.status)
    if before is None:
        return now.status == bad or now.type == ConditionType.ACCEPTED
    return (before.status, before.reason) != (now.status, now.reason)


def _of_model(before: ModelStatus | None, now: ModelStatus) -> Iterator[Note]:
    yield from _of_failure(before, now)
    if before and before.phase != "Updating" and now.phase == "Updating":
        yield _normal(now, "RollingOut", f"replicas become revision {now.revision}")
    if before and before.phase == "Updating" and now.phase == "Ready":
        yield _normal(now, "RolledOut", f"all replicas are revision {now.revision}")
    if before and (before.phase == "Idle") != (now.phase == "Idle"):
        asleep = now.phase == "Idle"
        yield _normal(now, "ScaledToZero" if asleep else "Woken", "no replicas" if asleep else "it is asked for again")
    if before and (moved := _on(now)) != _on(before) and moved:
        yield _normal(now, "Placed", f"replicas on {', '.join(moved)}")


def _of_failure(before: ModelStatus | None, now: ModelStatus) -> Iterator[Note]:
    was, failure = before.last_failure if before else None, now.last_failure
    if failure and (was is None or was.reason != failure.reason):
        key = f"{now.name}/{failure.reason}"
        yield Note(type="Warning", reason=failure.reason, message=f"{now.name}: {failure.message}", key=key)
    if was and failure is None:
        yield _normal(now, "Recovered", f"no replica fails any more; the last was {was.reason}")


def _on(model: ModelStatus) -> list[str]:
    return [accelerator.name for accelerator in model.accelerators if accelerator.replicas]


def _normal(model: ModelStatus, reason: str, sentence: str) -> Note:
    return Note(
        type="Normal", reason=reason, message=f"{model.name}: {sentence}", key=f"{model.name}/{reason}/{sentence}"
    )
