"""What is true of one model, as conditions have it."""

from collections.abc import Iterator

from chimera_operator.api.conditions import ConditionType, Finding
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.causes.cause import Cause
from chimera_operator.planning.choosing.decision import Station
from chimera_operator.planning.status.assessment import Assessment

TOLD = 3
"""Causes that a condition tells; the rest it counts."""


def findings(assessment: Assessment, room: Room) -> tuple[Finding, ...]:
    """Return what is true of a model.

    Args:
        assessment: How it stands.
        room: The accelerators that are free.
    """
    return (_progressing(assessment), _ready(assessment), _degraded(assessment), _limited(assessment, room))


def _progressing(model: Assessment) -> Finding:
    kind = ConditionType.PROGRESSING
    if model.going:
        return Finding(type=kind, status="True", reason="RollingOut", message=_rollout(model))
    if model.stalled:
        sentence = "the new replicas have not come up within their time"
        return Finding(type=kind, status="False", reason="Stalled", message=sentence)
    if model.waiting:
        turn = "until the picker has been replaced" if model.held else "for their turn"
        return Finding(type=kind, status="True", reason="Waiting", message=f"replicas have changed and wait {turn}")
    if model.settled:
        return Finding(type=kind, status="False", reason="Complete")
    if model.stuck:
        return Finding(type=kind, status="False", reason="Blocked", message="all replicas that are missing fail")
    return Finding(type=kind, status="True", reason=_how(model), message=_counts(model))


def _rollout(model: Assessment) -> str:
    words = {"Surge": "new ones first", "InPlace": "in place", "Recreate": "all at once"}
    ways = " and ".join(sorted({words[station.strategy] for station in model.going}))
    return f"{model.updated} of {model.wished} replicas serve as they are wished now, the others are replaced, {ways}"


def _how(model: Assessment) -> str:
    if sum(station.replicas for station in model.decision.stations) > model.wished:
        return "Moving"
    return "Scaling" if model.serving else "Starting"


def _counts(model: Assessment) -> str:
    return f"{model.serving} of {model.wished} replicas serve"


def _ready(model: Assessment) -> Finding:
    kind = ConditionType.READY
    if model.wished == 0:
        wakes = ", the next request wakes it" if model.situation.member.model.scaling.auto else ""
        return Finding(type=kind, status="True", reason="Idle", message=f"scaled to zero{wakes}")
    if model.updated:
        return Finding(type=kind, status="True", reason="Serving", message=_counts(model))
    if model.serving:
        sentence = f"{_counts(model)}, none of them as they are wished now"
        return Finding(type=kind, status="False", reason="OutOfDate", message=sentence)
    return Finding(type=kind, status="False", reason=model.phase, message=_first(model.causes) or _counts(model))


def _first(causes: tuple[Cause, ...]) -> str:
    return causes[0].message if causes else ""


def _degraded(model: Assessment) -> Finding:
    kind = ConditionType.DEGRADED
    if not model.causes:
        return Finding(type=kind, status="False", reason="NoFailure")
    return Finding(type=kind, status="True", reason=model.causes[0].reason.value, message=told(model.causes))


def told(causes: tuple[Cause, ...]) -> str:
    """Return causes in a sentence, each once."""
    sentences = list(dict.fromkeys(cause.message for cause in causes))
    more = len(sentences) - TOLD
    return "; ".join([*sentences[:TOLD], *([f"and {more} more"] if more > 0 else [])])


def _limited(model: Assessment, room: Room) -> Finding:
    kind = ConditionType.CAPACITY_LIMITED
    reason, sentences = next(((reason, found) for reason, found in _limits(model, room) if found), ("Sufficient", []))
    return Finding(type=kind, status="True" if sentences else "False", reason=reason, message="; ".join(sentences))


def _limits(model: Assessment, room: Room) -> Iterator[tuple[str, list[str]]]:
    """Yield what accelerators are missing for, the worst first."""
    in_place = [station for station in model.going if station.strategy == "InPlace"]
    others = [station for station in model.decision.stations if station not in in_place]
    yield "Unschedulable", [found for station in others if (found := _searching(station, room))]
    if model.situation.member.model.rollout.mode == "Auto":
        yield "RolloutInPlace", [_in_place(station, room) for station in in_place]
    yield "SecondChoice", [_second(each, model.named[0], room) for each in model.named[1:] if each.replicas]


def _searching(station: Station, room: Room) -> str:
    count = sum(pod.searching for pod in station.alternative.pods)
    return f"{count} replica{'s find' if count > 1 else ' finds'} no place: {_wanted(station, room)}" if count else ""


def _in_place(station: Station, room: Room) -> str:
    return f"replicas are replaced in place, as none fits beside them: {_wanted(station, room)}"


def _second(station: Station, first: Station, room: Room) -> str:
    return f"{station.replicas} on {station.alternative.label or 'CPUs'}, their second choice: {_wanted(first, room)}"


def _wanted(station: Station, room: Room) -> str:
    """Return what a replica needs, and what there is of it."""
    need, label = station.alternative.need, station.alternative.label
    if need is None:
        return "each needs CPU and memory as resources says"
    if need.resource is None:
        return f"each needs a claim on devices of {label}"
    return f"each needs {need.count} {need.resource} of {label}, {room.told(need)}"
