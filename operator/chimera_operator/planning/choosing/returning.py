"""When there has been room on a better alternative for long enough to come back to it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.memory import Place
from chimera_operator.planning.situation import Alternative, Situation

STEADY = timedelta(minutes=5)
"""How long cards must have been free before a replica comes back to them: longer than a pod that is replaced leaves its
own free."""


def free_since(
    situations: Iterable[Situation], room: Room, before: Mapping[Place, datetime], *, now: datetime
) -> Mapping[Place, datetime]:
    """Return since when there has been room on the alternatives that replicas could come back to.

    Args:
        situations: The models.
        room: What is free beside what replicas that were told to be somewhere still need.
        before: What was known the last time.
        now: The time.
    """
    return {
        place: before.get(place, now)
        for situation in situations
        for place, alternative in _better(situation)
        if alternative.need and room.fits(alternative.need) and not alternative.in_vain(now)
    }


def steady(free: Mapping[Place, datetime], *, now: datetime) -> frozenset[Place]:
    """Return the alternatives that replicas may come back to."""
    return frozenset(place for place, since in free.items() if now - since >= STEADY)


def _better(situation: Situation) -> Iterator[tuple[Place, Alternative]]:
    """Yield the alternatives that replicas on a later one would rather have."""
    named = [each for each in situation.alternatives if not each.retired]
    for index, alternative in enumerate(named):
        if any(later.replicas for later in named[index + 1 :]):
            yield Place(situation.name, alternative.label), alternative
