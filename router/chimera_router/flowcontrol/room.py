"""Find saturation: which endpoints have a free slot and room in their KV cache, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chimera_router.flowcontrol.types import Item, Lane
from chimera_router.scheduling.latency import occupancy
from chimera_router.scheduling.types import Coefficients, EndpointState, PoolSnapshot


@dataclass(frozen=True, slots=True)
class _Vacancy:
    """An endpoint with a free slot, and the tokens that its KV cache still has room for."""

    state: EndpointState
    tokens: float

    def left(self, item: Item) -> float:
        """Return the tokens left once the item is there; below zero it does not fit."""
        return self.tokens - item.context


class Room:
    """What the engines can still take. Made anew for every pass over the queue: passes use it up.

    Args:
        snapshot: The pool at this moment.
        now: Seconds on the clock that stamped the snapshot's metrics.
        metrics_max_age: Seconds after which an engine's metrics are treated as unknown.
    """

    def __init__(self, snapshot: PoolSnapshot, *, now: float, metrics_max_age: float) -> None:
        self.snapshot = snapshot
        self._ready = [state for state in snapshot.endpoints if state.ready]
        self._vacant: dict[str, _Vacancy] = {}
        for state in self._ready:
            old = state.metrics is not None and now - state.metrics.scraped_at > metrics_max_age
            coefficients = snapshot.models[state.endpoint.model].coefficients
            tokens = _vacant_tokens(replace(state, metrics=None) if old else state, coefficients)
            if tokens is not None:
                self._vacant[state.endpoint.address] = _Vacancy(state, tokens)

    @property
    def full(self) -> bool:
        """Whether no endpoint can take anything now."""
        return not self._vacant

    def takes(self, item: Item) -> bool:
        """Return whether an endpoint can take the item now."""
        return any(vacancy.left(item) >= 0 for vacancy in self._vacancies(item))

    def open_to(self, item: Item) -> PoolSnapshot:
        """Return the snapshot with only the endpoints that can take the item now."""
        fitting = tuple(vacancy.state for vacancy in self._vacancies(item) if vacancy.left(item) >= 0)
        return replace(self.snapshot, endpoints=fitting)

    def withhold(self, item: Item) -> bool:
        """Keep the endpoint nearest to having room for the item from all behind it.

        Else small requests would take every token that is freed, and a large one would wait for ever.

        Returns:
            Whether those behind it in its lane may find room yet; not where the lane has no free slot.
        """
        nearest = max(self._vacancies(item), key=lambda vacancy: vacancy.left(item), default=None)
        if nearest is None:
            return False
        del self._vacant[nearest.state.endpoint.address]
        return True

    def _vacancies(self, item: Item) -> Iterable[_Vacancy]:
        if self.full:
            return ()
        vacant = (self._vacant.get(state.endpoint.address) for state in self._allowed(item.lane))
        return (vacancy for vacancy in vacant if vacancy is not None)

    def _allowed(self, lane: Lane) -> list[EndpointState]:
        states = (state for state in self._ready if state.endpoint.model == lane.model)
        return [state for state in states if lane.subset is None or state.endpoint.address in lane.subset]


def _vacant_tokens(state: EndpointState, coefficients: Coefficients) -> float | None:
    """Return the free tokens of the KV cache; None where every slot is taken.

    An idle engine takes any request: one that it has no memory for, it refuses itself.
    """
    occupied = occupancy(state)
    if not occupied:
        return float("inf")
    if occupied >= coefficients.max_num_seqs:
        return None
    return coefficients.kv_tokens - state.load.context - _foreign_tokens(state, coefficients)


def _foreign_tokens(state: EndpointState, coefficients: Coefficients) -> float:
    """Return the tokens that others held in the KV cache at the last scrape: beyond this picker's own of then."""
    if state.metrics is None:
        return 0.0
    return max(0.0, state.metrics.kv_usage * coefficients.kv_tokens - state.metrics.own_context)
