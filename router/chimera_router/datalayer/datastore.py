"""Hold what is known of every endpoint and publish it as one immutable snapshot."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from chimera_router.engines.standing import Standing, doubtful
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.load import Load
from chimera_router.scheduling.types import Endpoint, EndpointState, EngineMetrics, Model, PoolSnapshot


@dataclass(slots=True)
class _Known:
    endpoint: Endpoint
    standing: Standing = field(default_factory=Standing)
    metrics: EngineMetrics | None = None
    _state: EndpointState | None = None

    def state(self, load: Load, *, doubting: bool) -> EndpointState:
        """Return the endpoint as it is, and the same value again while nothing has changed."""
        last, ready = self._state, self.standing.ready or (doubting and self.standing.fell_silent)
        if last is None or last.load is not load or last.metrics is not self.metrics or last.ready is not ready:
            last = EndpointState(endpoint=self.endpoint, metrics=self.metrics, load=load, ready=ready)
            self._state = last
        return last


class Datastore:
    """The endpoints by address. One owner: the event loop.

    An endpoint is ready once it has answered a scrape, and until one fails or the gateway cannot reach it; `standing`
    says it exactly.

    Args:
        ledger: What this picker has sent where.
        clock: Seconds on a monotonic clock.

    Attributes:
        changed: Called when the pool may have got room: an engine answered, or the list of endpoints is a new one.
        listed: Called when the list of endpoints is a new one.
        counted: Called with an address and what its engine has said, where that is to be believed.
        outdated: Called with an address when what its engine said last is old now.
    """

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.changed: Callable[[], None] = _nobody
        self.listed: Callable[[], None] = _nobody
        self.outdated: Callable[[str], None] = _no_address
        self.counted: Callable[[str, EngineMetrics], None] = _no_count
        self._ledger = ledger
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._doubting = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints, ready or not."""
        return tuple(known.endpoint for known in self._known.values())

    def replace(self, endpoints: Iterable[Endpoint]) -> None:
        """Take a new list of endpoints; those that stay keep what is known of them."""
        self._known = {endpoint.address: self._kept(endpoint) or _Known(endpoint) for endpoint in endpoints}
        self._doubt()
        self.listed()
        self.changed()

    def own(self, address: str) -> int:
        """Return how many requests of this picker are there."""
        return self._ledger.of(address).requests

    def sent(self, address: str) -> None:
        """Record that a request goes there."""
        self.outdated(address)

    def answered(self, address: str, metrics: EngineMetrics | None) -> None:
        """Record a scrape that reached the engine; None where its numbers are not to be believed.

        What this picker has there is counted now: later the numbers are old, and its own would pass for foreign.
        """
        known = self._known.get(address)
        if known is not None:
            own = self._ledger.of(address)
            known.standing.answered(self._clock())
            if self._doubting:
                self._doubt()
            known.metrics = metrics and replace(metrics, own=own.requests, own_context=own.context)
            if known.metrics:
                self.counted(address, known.metrics)
            self.changed()

    def failed(self, address: str, *, silent: bool = False) -> None:
        """Record that the engine could not be reached: it gets nothing until it answers.

        Args:
            address: Of the endpoint.
            silent: Whether nothing came from it in time, which may have been the picker's fault.
        """
        self._lose(address, lambda standing: standing.failed(silent=silent))

    def missed(self, address: str) -> None:
        """Record that the gateway did not reach the engine: it gets nothing until it answers, or for some time."""
        self._lose(address, lambda standing: standing.missed(self._clock()))

    def served(self, address: str) -> None:
        """Record that the gateway reached the engine."""
        known = self._known.get(address)
        if known is not None:
            known.standing.served()

    def metrics(self, address: str) -> EngineMetrics | None:
        """Return what an engine last said of itself; None where that is not known."""
        known = self._known.get(address)
        return known.metrics if known is not None else None

    def snapshot(self, models: Mapping[str, Model]) -> PoolSnapshot:
        """Return the pool at this moment, endpoints of models that left the pool left out."""
        of, doubting = self._ledger.of, self._doubting
        known = [(address, k) for address, k in self._known.items() if k.endpoint.model in models]
        return PoolSnapshot(
            models=models, endpoints=tuple([k.state(of(address), doubting=doubting) for address, k in known])
        )

    def _lose(self, address: str, happen: Callable[[Standing], None]) -> None:
        known = self._known.get(address)
        if known is None:
            return
        was_ready, known.metrics = known.standing.ready, None
        happen(known.standing)
        self._doubt()
        if was_ready:
            self.outdated(address)

    def _doubt(self) -> None:
        self._doubting = doubtful([known.standing for known in self._known.values()])

    def _kept(self, endpoint: Endpoint) -> _Known | None:
        known = self._known.get(endpoint.address)
        return known if known and known.endpoint == endpoint else None


def _nobody() -> None:
    """Tell nobody."""


def _no_address(_: str) -> None:
    """Tell nobody."""


def _no_count(_: str, __: EngineMetrics) -> None:
    """Tell nobody."""
