"""What becomes of one model: how many replicas, where, and replaced how."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.choosing.placement import Spot, spread
from chimera_operator.planning.choosing.rollout import SURGE_WAIT, Turn, strategy
from chimera_operator.planning.memory import Place
from chimera_operator.planning.situation import Alternative, Situation
from chimera_operator.rendering.choices import Choice, Placement, Strategy

Revise = Callable[[Accelerator | None], str]
"""Returns the revision that a model's replicas on an alternative should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What becomes of a model on one alternative.

    Attributes:
        alternative: The alternative as it was found.
        replicas: Replicas that it gets.
        revision: The revision that they should have; of a retired one what they have.
        strategy: How they are replaced.
        turn: Where they stand.
    """

    alternative: Alternative
    replicas: int
    revision: str
    strategy: Strategy
    turn: Turn

    @property
    def outdated(self) -> int:
        """Replicas that are not what they should be."""
        return sum(pod.active and pod.revision != self.revision for pod in self.alternative.pods)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one model.

    Attributes:
        situation: What it was decided from.
        profile: Engine profile in force.
        wished: Replicas that are wished.
        stations: What becomes of each of its alternatives.
    """

    situation: Situation
    profile: str
    wished: int
    stations: tuple[Station, ...]

    @property
    def choice(self) -> Choice:
        """What rendering has to know of it."""
        named = [station for station in self.stations if not station.alternative.retired]
        placements = tuple(map(_placement, [station for station in named if station.replicas] or named[:1]))
        external = self.situation.member.model.scaling.external
        return Choice(profile=self.profile, placements=placements, wished=None if external else self.wished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all models of a pool share.

    Attributes:
        free: The accelerators that are free.
        left: Those of them that no replica needs that was told to be somewhere.
        steady: Where there has been room for long enough to come back.
        now: The time.
    """

    free: Room
    left: Room
    steady: AbstractSet[Place]
    now: datetime


def decide(situation: Situation, ground: Ground, *, wished: int, profile: str, revise: Revise) -> Decision:
    """Return what becomes of a model.

    Args:
        situation: The model.
        ground: What it shares with the others.
        wished: Replicas that are wished.
        profile: Engine profile in force.
        revise: Tells revisions with that profile.
    """
    now_and_then = [(each, _revision(each, revise)) for each in situation.alternatives]
    turns = [_turn(alternative, revision, ground) for alternative, revision in now_and_then]
    if any(turn.changed or turn.rolling for turn in turns):
        ground = replace(ground, steady=frozenset())  # one move at a time: nobody comes back meanwhile
    spots = [_spot(situation, alternative, ground) for alternative in situation.alternatives]
    replicas = spread(wished, spots, may_miss=_may_miss(situation, ground, wished))
    rollout = situation.member.model.rollout
    stations = (
        Station(alternative=alternative, replicas=count, revision=revision, strategy=strategy(rollout, turn), turn=turn)
        for (alternative, revision), count, turn in zip(now_and_then, replicas, turns, strict=True)
    )
    return Decision(situation=situation, profile=profile, wished=wished, stations=tuple(stations))


def left_after(decision: Decision, left: Room) -> Room:
    """Return the room that other models may count on after this one: its new and its surging replicas have theirs."""
    for station in decision.stations:
        if need := station.alternative.need:
            more = max(0, station.replicas - station.alternative.replicas)
            surging = station.turn.changed and station.strategy == "Surge"
            left = left.taking(need, more + surging)
    return left


def _revision(alternative: Alternative, revise: Revise) -> str:
    if alternative.retired:
        return alternative.deployment.revision if alternative.deployment else ""
    return revise(alternative.accelerator)


def _turn(alternative: Alternative, revision: str, ground: Ground) -> Turn:
    found = alternative.deployment
    if found is None:
        return Turn()
    searching = alternative.searching(ground.now, revision=revision)
    surging, room = alternative.placed >= alternative.replicas, _room(alternative, ground.left)
    return Turn(
        changed=found.revision != revision,
        settled=found.settled,
        stalled=found.stalled,
        strategy=found.strategy,
        serving=alternative.serving,
        room=None if room is None else room + alternative.over,
        refused=surging and searching is not None and searching >= SURGE_WAIT,
    )


def _spot(situation: Situation, alternative: Alternative, ground: Ground) -> Spot:
    return Spot(
        replicas=alternative.replicas,
        placed=alternative.placed,
        serving=alternative.serving,
        closed=alternative.in_vain(ground.now),
        retired=alternative.retired,
        room=_room(alternative, ground.left),
        steady=Place(situation.name, alternative.label) in ground.steady,
    )


def _room(alternative: Alternative, room: Room) -> int | None:
    return room.fits(alternative.need) if alternative.need else None


def _may_miss(situation: Situation, ground: Ground, wished: int) -> int:
    """Return how many replicas may end before others serve, so that these get their cards.

    Only those on retired alternatives do: there is no rollout that would replace them.
    """
    rollout = situation.member.model.rollout
    if rollout.mode == "Recreate":
        return wished
    return rollout.max_unavailable if rollout.mode != "Surge" and _in_the_way(situation, ground.free) else 0


def _in_the_way(situation: Situation, free: Room) -> bool:
    """Return whether replicas lack cards that a retired one holds."""
    wanting = [each for each in situation.alternatives if not each.retired and each.unplaced]
    leaving = [each for each in situation.alternatives if each.retired]
    without = [free.giving_back(each.holding, pod.node) for each in leaving for pod in each.pods if pod.placed]
    return any(
        (now := _room(each, free)) is not None and now < each.unplaced and (_room(each, after) or 0) > now
        for each in wanting
        for after in without
    )


def _placement(station: Station) -> Placement:
    return Placement(accelerator=station.alternative.accelerator, replicas=station.replicas, strategy=station.strategy)
