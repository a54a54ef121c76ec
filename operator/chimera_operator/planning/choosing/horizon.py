"""When something may change although nothing in the cluster does."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from chimera_operator.planning.choosing.returning import STEADY
from chimera_operator.planning.choosing.rollout import SURGE_WAIT
from chimera_operator.planning.memory import Place
from chimera_operator.planning.reading.pods import Pod
from chimera_operator.planning.situation import Alternative, Situation

SOONEST = 1.0
"""Seconds; moments are kept in whole ones."""


def again(moments: Iterable[datetime], *, now: datetime) -> float | None:
    """Return the seconds until the next of some moments, or None where none is to come."""
    ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
    return max(SOONEST, min(ahead)) if ahead else None


def moments(situations: Iterable[Situation], free_since: Mapping[Place, datetime]) -> Iterator[datetime]:
    """Yield when replicas have searched or started for too long, and when cards have been free for long enough."""
    yield from (since + STEADY for since in free_since.values())
    for situation in situations:
        startup = timedelta(seconds=situation.member.model.engine.startup_seconds)
        for alternative in situation.alternatives:
            for pod in alternative.pods:
                yield from _of_pod(pod, alternative, startup)


def _of_pod(pod: Pod, alternative: Alternative, startup: timedelta) -> Iterator[datetime]:
    if pod.searching and pod.scheduled:
        yield pod.scheduled + SURGE_WAIT
        yield pod.scheduled + alternative.wait
    if pod.active:
        yield from (each.running + startup for each in pod.containers if each.running and not each.started)
