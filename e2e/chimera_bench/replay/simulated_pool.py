"""A pool in virtual time: simulated engines, and what a picker in front of them knows.

The picker's own ledger and datastore keep that: the load of an engine is what its last scrape said, the requests in
flight are what the streams have brought.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import DoesNotFit, Event, EventKind, Request, SchedulingPolicy
from chimera_bench.serving import ServingPool
from chimera_router.datalayer.datastore import Datastore
from chimera_router.engines.pacing import FAST
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.types import Decision, Descriptor, Endpoint, EngineMetrics, Model, PoolSnapshot

# Seconds between two looks at the streams of an engine: a handful of tokens each, of the hundreds that are foreseen.
STREAM_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class _Sent:
    ticket: Ticket
    on_end: Callable[[], None]


class SimulatedPool:
    """The engines of a pool, as one picker sees them.

    Args:
        pool: What to simulate.
        scheduling: Order of the engines' queues; the picker sends priorities to those that read them.
    """

    def __init__(self, pool: ServingPool, scheduling: SchedulingPolicy) -> None:
        self._models = _models(pool, priority=scheduling is SchedulingPolicy.PRIORITY)
        endpoints = _endpoints(pool)
        self._engines = {
            endpoint.address: Engine(
                pool.coefficients[endpoint.model], scheduling=scheduling, prefix_caching=pool.prefix_caching
            )
            for endpoint in endpoints
        }
        self.time = VirtualTime(self._engines, self._observe)
        self._ledger = Ledger()
        self._datastore = Datastore(self._ledger)
        self._datastore.replace(endpoints)
        self._sent: dict[str, _Sent] = {}
        self._looked_at = dict.fromkeys(self._engines, -STREAM_INTERVAL)

    def on_room(self, call: Callable[[], None]) -> None:
        """Call whenever an engine may have got room: it answered a scrape, or a request has left it."""
        self._datastore.changed = call

    def snapshot(self) -> PoolSnapshot:
        """Return what the picker knows now."""
        self._look_at_streams()
        return self._datastore.snapshot(self._models)

    def send(self, decision: Decision, request: Request, *, prompt_tokens: int, on_end: Callable[[], None]) -> None:
        """Send a request where it was decided.

        Args:
            decision: Where.
            request: As the engine will see it.
            prompt_tokens: As the picker estimates them.
            on_end: Called once the last token has come.

        Raises:
            DoesNotFit: The engine's KV cache could not hold it.
        """
        ticket = self._ledger.open(decision, prompt_tokens=prompt_tokens)
        self._sent[request.id] = _Sent(ticket, on_end)
        try:
            self.time.submit(ticket.address, request)
        except DoesNotFit:
            self._ledger.close(self._sent.pop(request.id).ticket)
            raise

    def scrape(self) -> None:
        """Take down what every engine says of its load."""
        now = self.time.now
        for address, engine in self._engines.items():
            metrics = EngineMetrics(
                running=len(engine.running), waiting=len(engine.waiting), kv_usage=engine.kv_usage(now), scraped_at=now
            )
            self._datastore.answered(address, metrics)

    def keep_scraping(self, goes_on: Callable[[], bool], *, first: float) -> None:
        """Scrape as often as a picker does, from `first` for as long as there is something to see."""

        def again() -> None:
            self.scrape()
            if goes_on():
                self.time.call_at(self.time.now + FAST, again)

        self.time.call_at(first, again)

    def _look_at_streams(self) -> None:
        """Tell the ledger what streams have brought by now; the live picker is told with every chunk."""
        now = self.time.now
        for address, engine in self._engines.items():
            if now - self._looked_at[address] >= STREAM_INTERVAL:
                self._looked_at[address] = now
                for request_id, generated in engine.progress(now):
                    self._ledger.progress(self._sent[request_id].ticket, generated=generated)

    def _observe(self, _: str, event: Event) -> None:
        if event.kind is EventKind.FINISHED:
            sent = self._sent.pop(event.request.id)
            self._ledger.close(sent.ticket)
            self._datastore.changed()  # whoever waits goes before the next stage of what has just ended
            sent.on_end()


def _models(pool: ServingPool, *, priority: bool) -> dict[str, Model]:
    return {
        name: Model(
            name=name,
            coefficients=pool.coefficients[name],
            descriptor=Descriptor(parameters_b=pool.params_b[name]),
            priority=priority,
        )
        for name in pool.models
    }


def _endpoints(pool: ServingPool) -> list[Endpoint]:
    names = [(model, f"{model}-{number}") for model in pool.models for number in range(pool.endpoints)]
    return [Endpoint(name=name, address=name, model=model) for model, name in names]
