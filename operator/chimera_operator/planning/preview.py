"""What a plan would do, before anybody does it: for people who want to know what a file will cost them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.status import Fit
from chimera_operator.planning.capacity.cards import need
from chimera_operator.planning.capacity.fit import fit
from chimera_operator.planning.choosing.decision import Decision, Station
from chimera_operator.planning.considering import considered
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.rendering.choices import Strategy
from chimera_operator.rendering.manifest import Manifest, ObjectKey, key_of

Action = Literal["Create", "Change", "Keep", "Delete"]

Unchanged = Callable[[Manifest, Manifest], bool]
"""Returns whether a live object is already as it is told to be: told, then live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one object.

    Attributes:
        key: The object.
        action: What happens to it.
    """

    key: ObjectKey
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Replicas that are replaced.

    Attributes:
        model: Their model.
        accelerator: What they run on; empty: CPUs.
        replicas: How many.
        strategy: How, with the accelerators that are free now.
    """

    model: str
    accelerator: str
    replicas: int
    strategy: Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a model takes on one alternative.

    Attributes:
        model: The model.
        accelerator: The alternative; empty: CPUs.
        card: Class of its cards; empty: none.
        replicas: Replicas to begin with.
        most: Replicas at most, where the operator scales them.
        cards: Cards of one replica.
        kv_tokens: Tokens that the KV caches of one replica hold; None: nobody knows.
        fit: Whether it fits.
    """

    model: str
    accelerator: str
    card: str
    replicas: int
    most: int
    cards: int
    kv_tokens: int | None
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a plan would do.

    Attributes:
        changes: What happens to each object, in the order in which it is applied.
        restarts: Replicas that are replaced.
        costs: What models take.
    """

    changes: tuple[Change, ...]
    restarts: tuple[Restart, ...]
    costs: tuple[Cost, ...]

    @property
    def cards(self) -> Mapping[str, int]:
        """Cards by their class."""
        total: Counter[str] = Counter()
        for cost in self.costs:
            total[cost.card] += cost.cards * cost.replicas
        return {card: count for card, count in total.items() if card and count}

    @property
    def kv_tokens(self) -> int:
        """Tokens that all KV caches hold whose size is known."""
        return sum((cost.kv_tokens or 0) * cost.replicas for cost in self.costs)


def preview(pool: HeterogeneousModelPool, observed: Observed, unchanged: Unchanged, *, now: datetime) -> Preview:
    """Return what a plan would do.

    Args:
        pool: The pool.
        observed: What was found; without objects, as for a pool that nobody has applied yet.
        unchanged: Tells whether an object has to be written.
        now: The time.

    Raises:
        PoolError: The pool is not accepted.
    """
    found = considered(pool, observed, Memory(), now=now)
    decisions = found.decided.decisions
    return Preview(
        changes=tuple(_changes(found.rendered, observed, unchanged)),
        restarts=tuple(
            _restart(decision, each)
            for decision in decisions
            for each in decision.stations
            if each.turn.changed and each.alternative.replicas
        ),
        costs=tuple(
            _cost(decision, each)
            for decision in decisions
            for each in decision.stations
            if each.replicas or not decision.wished
        ),
    )


def _changes(rendered: tuple[Manifest, ...], observed: Observed, unchanged: Unchanged) -> Iterator[Change]:
    for manifest in rendered:
        live = observed.objects.get(key := key_of(manifest))
        written: Action = "Create" if live is None else "Keep" if unchanged(manifest, live) else "Change"
        yield Change(key=key, action=written)
    told = set(map(key_of, rendered))
    yield from (Change(key=key, action="Delete") for key in observed.objects if key not in told)


def _restart(decision: Decision, station: Station) -> Restart:
    found = station.alternative
    return Restart(
        model=decision.situation.name, accelerator=found.label, replicas=found.replicas, strategy=station.strategy
    )


def _cost(decision: Decision, station: Station) -> Cost:
    model, accelerator = decision.situation.member.model, station.alternative.accelerator
    judged, auto = fit(model, accelerator), model.scaling.auto
    return Cost(
        model=model.name,
        accelerator=station.alternative.label,
        card=accelerator.class_ if accelerator else "",
        replicas=station.replicas,
        most=auto.max_replicas if auto else station.replicas,
        cards=_cards(model, accelerator),
        kv_tokens=judged.kv_tokens and judged.kv_tokens * model.parallelism.data,
        fit=judged,
    )


def _cards(model: ModelSpec, accelerator: Accelerator | None) -> int:
    return need(model, accelerator).count if accelerator else 0
