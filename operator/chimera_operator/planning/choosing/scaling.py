"""How many replicas of a model are wished: as the pool says, as somebody else says, or as the load asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from chimera_operator.api.scaling import AutoScaling, Scaling
from chimera_operator.planning.choosing.windows import Windows, remembered, stabilized
from chimera_operator.planning.memory import Sample
from chimera_operator.planning.observed import Demand

TOLERANCE = 0.1
"""Share by which the load may miss what the replicas are for; as HorizontalPodAutoscaler has it."""

PERIOD = timedelta(seconds=15)
"""How often the load is looked at; as HorizontalPodAutoscaler does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a model stands.

    Attributes:
        wished: Replicas that its PooledModel says; None: there is none yet.
        serving: Replicas that serve.
        failing: Replicas that fail or find no place.
        demand: What is asked of it; None: nobody could tell.
    """

    wished: int | None
    serving: int = 0
    failing: int = 0
    demand: Demand | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What scaling came to.

    Attributes:
        replicas: Replicas that are wished.
        samples: What is remembered for the next time.
        look_again: How long until the wish may change by itself; None: it will not.
    """

    replicas: int
    samples: tuple[Sample, ...] = ()
    look_again: timedelta | None = None


def wish(scaling: Scaling, standing: Standing, samples: Sequence[Sample], *, now: datetime) -> Wish:
    """Return how many replicas are wished."""
    begun = scaling.first_replicas if standing.wished is None else standing.wished
    if scaling.external:
        return Wish(replicas=begun)
    if scaling.auto is None:
        return Wish(replicas=scaling.first_replicas)
    return _by_load(scaling.auto, standing, samples, _bounded(scaling.auto, begun), now)


def _by_load(auto: AutoScaling, standing: Standing, samples: Sequence[Sample], current: int, now: datetime) -> Wish:
    windows = Windows(
        up=timedelta(seconds=auto.scale_up_window_seconds), down=timedelta(seconds=auto.scale_down_window_seconds)
    )
    asked = _asked(auto, standing, current)
    known = samples or (Sample(now, current),)  # after a restart the windows begin with what is
    return Wish(
        replicas=_through(auto, standing, current, stabilized(current, asked, known, windows, now=now)),
        samples=remembered(known, asked, windows, now=now),
        look_again=PERIOD,
    )


def _asked(auto: AutoScaling, standing: Standing, current: int) -> int:
    """Return the replicas that the load asks for; what is there where nobody can tell the load."""
    demand = standing.demand
    if demand is None or (current == 0 and not (demand.waiting or demand.backlog_tokens)):
        return current
    target = auto.target_backlog_tokens_per_replica
    if current and abs(demand.backlog_tokens / (current * target) - 1) <= TOLERANCE:
        return _bounded(auto, current)
    return min(auto.max_replicas, max(auto.min_replicas, ceil(demand.backlog_tokens / target)))


def _through(auto: AutoScaling, standing: Standing, current: int, steady: int) -> int:
    """Return what becomes of the steady wish: zero and the way back from it wait for no window."""
    demand, zero = standing.demand, auto.scale_to_zero
    if demand is None:
        return current
    if current == 0:
        return auto.min_replicas if demand.waiting or demand.backlog_tokens else 0
    if zero and not demand.waiting and not demand.backlog_tokens and demand.idle_seconds >= zero.idle_seconds:
        return 0
    if steady > current and standing.failing >= max(1, standing.serving):
        return current  # where most fail, more would fail
    return steady


def _bounded(auto: AutoScaling, replicas: int) -> int:
    """Return replicas within the bounds; zero is one of them where the model may sleep."""
    least = 0 if auto.scale_to_zero and replicas == 0 else auto.min_replicas
    return min(auto.max_replicas, max(least, replicas))
