"""A pool as it is considered: what was found of it, what was decided, what it becomes."""

from dataclasses import dataclass
from datetime import datetime

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.choosing.deciding import Causes, Decided, decided
from chimera_operator.planning.failures import failures
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.situation import Situation, situations
from chimera_operator.rendering.manifest import Manifest
from chimera_operator.rendering.pool import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A pool as it is considered.

    Attributes:
        situations: What was found of each model.
        causes: Why replicas do not serve, by model.
        decided: What becomes of the models.
        rendered: What the pool becomes, if nothing had to wait.
    """

    situations: tuple[Situation, ...]
    causes: Causes
    decided: Decided
    rendered: tuple[Manifest, ...]


def considered(pool: HeterogeneousModelPool, observed: Observed, memory: Memory, *, now: datetime) -> Considered:
    """Return a pool as it is considered.

    Raises:
        PoolError: A model fits none of its accelerators for sure, or the pool cannot be rendered for this cluster.
    """
    found = situations(pool, observed)
    causes = {each.name: failures(each, observed.events, now=now) for each in found}
    chosen = decided(found, causes, observed, memory, now=now)
    choices = {each.situation.name: each.choice for each in chosen.decisions}
    rendered = render(pool, choices, observed.facts)
    return Considered(situations=found, causes=causes, decided=chosen, rendered=rendered)
