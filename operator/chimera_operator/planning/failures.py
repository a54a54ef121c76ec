"""Which replicas of a model fail, and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chimera_operator.api.status import Failure
from chimera_operator.planning.causes.cause import Cause, Expected, Reason
from chimera_operator.planning.causes.creation import creation_cause
from chimera_operator.planning.causes.pods import about, pod_cause
from chimera_operator.planning.situation import Alternative, Situation
from chimera_operator.rendering.manifest import Manifest


def failures(situation: Situation, events: Sequence[Manifest], *, now: datetime) -> tuple[Cause, ...]:
    """Return why replicas of a model do not serve, the one to tell first at the front.

    Pods that are at their end count only where nothing else tells why a replica is missing: they stay about for long.

    Args:
        situation: The model.
        events: Warnings about the pool's objects, the oldest first.
        now: The time.
    """
    startup = timedelta(seconds=situation.member.model.engine.startup_seconds)
    of_pods: list[Cause] = []
    gone: list[Cause] = []
    for alternative in situation.alternatives:
        expected = Expected(need=alternative.need, startup=startup, now=now)
        for pod in alternative.pods:
            if found := pod_cause(pod, expected, list(about(events, pod.name))):
                (of_pods if pod.active else gone).append(found)
    refused = [cause for each in situation.alternatives if (cause := _refused(each))]
    missing = any(each.serving < each.replicas for each in situation.alternatives)
    return tuple(sorted([*refused, *of_pods] or (gone if missing else []), key=_rank))


def failure(causes: Sequence[Cause], before: Failure | None, *, now: datetime) -> Failure | None:
    """Return the cause to tell, with the time at which it was first seen."""
    if not causes:
        return None
    told = causes[0]
    same = before and (before.pod, before.container, before.reason) == (told.pod, told.container, told.reason)
    return Failure(
        pod=told.pod,
        container=told.container,
        reason=told.reason.value,
        exit_code=told.exit_code,
        message=told.message,
        at=before.at if before and same else (told.at or now).replace(microsecond=0),
    )


def _refused(alternative: Alternative) -> Cause | None:
    return creation_cause(alternative.deployment) if alternative.deployment else None


def _rank(cause: Cause) -> tuple[bool, str]:
    """Order causes: what a replica says of itself before what the cluster lacks."""
    return cause.reason is Reason.UNSCHEDULABLE, cause.pod
