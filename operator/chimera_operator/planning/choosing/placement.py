"""Over which of its alternatives a model's replicas are spread.

A replica begins on the preferred alternative. Where it finds no place within the alternative's wait it goes to the next
one that has room. It comes back when the preferred one has had room for a while, by one replica more there first, so
that never fewer serve. All follows from what there is, so it does not matter how often, or from where, one looks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOVING = 1
"""Replicas beyond the wished ones while some move. One at a time: cards that are free now were not always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What there is of a model on one alternative.

    Attributes:
        replicas: Replicas that were told to be there.
        placed: Replicas that have a node.
        serving: Replicas that serve, no more of them than were told to be there.
        closed: Whether no more go there, since one has waited in vain.
        retired: Whether it is no alternative any more: it only holds what it has until others serve.
        room: Replicas more that cards are free for, beside those that were told to be there; None: nobody can tell.
        steady: Whether there has been room for long enough to come back.
    """

    replicas: int = 0
    placed: int = 0
    serving: int = 0
    closed: bool = False
    retired: bool = False
    room: int | None = 0
    steady: bool = False

    @property
    def most(self) -> int:
        """Replicas that it may have before any takes a second choice."""
        if self.closed:
            return min(self.replicas, self.placed)
        return self.replicas + (self.room or 0 if self.steady and not self.retired else 0)

    def taking(self, replicas: int) -> int:
        """Return how many of the replicas that find no place before it go there."""
        if self.closed or self.retired or self.steady:  # a steady one has been counted on already
            return 0
        return replicas if self.room is None else min(self.room, replicas)


def spread(wished: int, spots: Sequence[Spot], *, may_miss: int = 0) -> tuple[int, ...]:
    """Return how many replicas each alternative should have now.

    They sum up to what is wished, to `MOVING` more while replicas move, or to what serves where that is still more.

    Args:
        wished: Replicas over all alternatives.
        spots: The alternatives, the preferred first, then retired ones.
        may_miss: Replicas that need not serve meanwhile, since those that do hold the cards of those that follow.
    """
    goal = _goal(wished, spots)
    kept = _within(_kept(goal, spots, floor=wished - may_miss), spots, most=wished + MOVING)
    return _raised(kept, goal, wished + MOVING - sum(kept))


def _goal(wished: int, spots: Sequence[Spot]) -> list[int]:
    """Return where the replicas should be in the end, as far as can be told now."""
    most = [spot.most for spot in spots]
    if not spots[0].closed:
        most[0] += max(0, wished - sum(spot.replicas for spot in spots if not spot.retired))
    goal = _filled(wished, most)
    rest = wished - sum(goal)
    for index, spot in enumerate(spots):
        goal[index] += (here := spot.taking(rest))
        rest -= here
    goal[0] += rest  # nobody has room: they wait where they would like to be
    return goal


def _filled(wished: int, most: Iterable[int]) -> list[int]:
    filled = []
    for bound in most:
        filled.append(min(wished, bound))
        wished -= filled[-1]
    return filled


def _kept(goal: Sequence[int], spots: Sequence[Spot], *, floor: int) -> list[int]:
    """Return the replicas without those that may go: what does not serve, then, from the last, what others make up."""
    kept = [spot.replicas for spot in spots]
    surplus = max(0, sum(spot.serving for spot in spots) - floor)
    for index, spot in reversed(list(enumerate(spots))):
        over = max(0, spot.replicas - goal[index])
        idle = min(over, spot.replicas - spot.serving)
        made_up = min(over - idle, surplus)
        surplus -= made_up
        kept[index] -= idle + made_up
    return kept


def _within(kept: Sequence[int], spots: Sequence[Spot], *, most: int) -> list[int]:
    """Return the replicas without those that do not serve and are more than may be."""
    excess, within = sum(kept) - most, list(kept)
    for index, spot in reversed(list(enumerate(spots))):
        gone = max(0, min(excess, kept[index] - spot.serving))
        within[index] -= gone
        excess -= gone
    return within


def _raised(kept: Sequence[int], goal: Sequence[int], budget: int) -> tuple[int, ...]:
    """Return the replicas with as many more towards the goal as the budget has."""
    raised = []
    for now, target in zip(kept, goal, strict=True):
        more = max(0, min(target - now, budget))
        budget -= more
        raised.append(now + more)
    return tuple(raised)
