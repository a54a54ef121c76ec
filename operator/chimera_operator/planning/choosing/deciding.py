"""What becomes of all models of a pool, one after another: what one takes is not free for the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.errors import PoolError
from chimera_operator.planning.capacity.fit import fit, too_large
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.causes.cause import Cause
from chimera_operator.planning.choosing.decision import Decision, Ground, decide, left_after
from chimera_operator.planning.choosing.pinning import engine_profile
from chimera_operator.planning.choosing.returning import free_since, steady
from chimera_operator.planning.choosing.scaling import Standing, Wish, wish
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.situation import Situation
from chimera_operator.rendering.models.pod import revision

Causes = Mapping[str, tuple[Cause, ...]]
"""Why replicas do not serve, by model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided.

    Attributes:
        decisions: For each model.
        wishes: What scaling came to for each.
        memory: What to remember.
        free: The accelerators that are free.
    """

    decisions: tuple[Decision, ...]
    wishes: Mapping[str, Wish]
    memory: Memory
    free: Room


def decided(
    situations: Sequence[Situation], causes: Causes, observed: Observed, memory: Memory, *, now: datetime
) -> Decided:
    """Return what becomes of all models.

    Args:
        situations: The models.
        causes: Why replicas of theirs do not serve.
        observed: What was found.
        memory: Of the last plan.
        now: The time.

    Raises:
        PoolError: A model fits none of its accelerators for sure, or cannot be rendered.
    """
    for situation in situations:
        _check(situation)
    wishes = {each.name: _wish(each, causes[each.name], memory, now) for each in situations}
    free = Room(observed.nodes)
    left = _unclaimed(free, situations)
    since = free_since(situations, left, memory.free_since, now=now)
    decisions: list[Decision] = []
    for situation in situations:
        ground = Ground(free=free, left=left, steady=steady(since, now=now), now=now)
        decisions.append(_decide(situation, ground, wishes[situation.name].replicas, observed))
        left = left_after(decisions[-1], left)
    asked = {name: each.samples for name, each in wishes.items() if each.samples}
    return Decided(decisions=tuple(decisions), wishes=wishes, memory=Memory(asked=asked, free_since=since), free=free)


def _check(situation: Situation) -> None:
    """Raise PoolError where a model's weights alone are more than each of its accelerators has for sure."""
    model = situation.member.model
    if model.accelerators and all(too_large(model, accelerator) for accelerator in model.accelerators):
        raise PoolError(f"{situation.member.path}.accelerators", fit(model, model.accelerators[0]).message)


def _wish(situation: Situation, causes: tuple[Cause, ...], memory: Memory, now: datetime) -> Wish:
    standing = Standing(
        wished=situation.scaled, serving=situation.serving, failing=len(causes), demand=situation.demand
    )
    return wish(situation.member.model.scaling, standing, memory.asked.get(situation.name, ()), now=now)


def _unclaimed(free: Room, situations: Sequence[Situation]) -> Room:
    """Return what is free once the replicas that were told to be somewhere have their place there."""
    for situation in situations:
        for alternative in situation.alternatives:
            if alternative.need:
                free = free.taking(alternative.need, alternative.unplaced)
    return free


def _decide(situation: Situation, ground: Ground, wished: int, observed: Observed) -> Decision:
    def revised(profile: str, accelerator: Accelerator | None) -> str:
        return revision(situation.member, engine_profile=profile, accelerator=accelerator, facts=observed.facts)

    def all_revised(profile: str) -> frozenset[str]:
        return frozenset(revised(profile, each.accelerator) for each in situation.alternatives if not each.retired)

    profile = engine_profile(situation, all_revised)
    return decide(
        situation, ground, wished=wished, profile=profile, revise=lambda accelerator: revised(profile, accelerator)
    )
