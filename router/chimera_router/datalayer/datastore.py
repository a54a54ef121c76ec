"""Hold what is known of every endpoint and publish it as one immutable snapshot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.load import Load
from chimera_router.scheduling.types import Endpoint, EndpointState, EngineMetrics, Model, PoolSnapshot


@dataclass(slots=True)
class _Known:
    endpoint: Endpoint
    ready: bool = False
    metrics: EngineMetrics | None = None
    _state: EndpointState | None = None

    def state(self, load: Load) -> EndpointState:
        """Return the endpoint as it is, and the same value again while nothing has changed."""
        last = self._state
        if last is None or last.load is not load or last.metrics is not self.metrics or last.ready is not self.ready:
            last = EndpointState(endpoint=self.endpoint, metrics=self.metrics, load=load, ready=self.ready)
            self._state = last
        return last


class Datastore:
    """The endpoints by address. One owner: the event loop.

    An endpoint is ready once it has answered a scrape, and until one fails or the gateway cannot reach it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, _Known] = {}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints, ready or not."""
        return tuple(known.endpoint for known in self._known.values())

    def replace(self, endpoints: Iterable[Endpoint]) -> None:
        """Take a new list of endpoints; those that stay keep what is known of them."""
        self._known = {endpoint.address: self._kept(endpoint) or _Known(endpoint) for endpoint in endpoints}

    def answered(self, address: str, metrics: EngineMetrics | None) -> None:
        """Record a scrape that reached the engine; None where its numbers are not to be believed.

        What this picker has there is counted now: later the numbers are old, and its own would pass for foreign.
        """
        known = self._known.get(address)
        if known is not None:
            own = self._ledger.of(address).requests
            known.ready, known.metrics = True, metrics and replace(metrics, own=own)

    def failed(self, address: str) -> bool:
        """Record that the engine could not be reached: it gets nothing until it answers. Return whether that is new."""
        known = self._known.get(address)
        if known is None:
            return False
        was_ready, known.ready, known.metrics = known.ready, False, None
        return was_ready

    def snapshot(self, models: Mapping[str, Model]) -> PoolSnapshot:
        """Return the pool at this moment, endpoints of models that left the pool left out."""
        of = self._ledger.of
        return PoolSnapshot(
            models=models,
            endpoints=tuple([k.state(of(address)) for address, k in self._known.items() if k.endpoint.model in models]),
        )

    def _kept(self, endpoint: Endpoint) -> _Known | None:
        known = self._known.get(endpoint.address)
        return known if known and known.endpoint == endpoint else None
