"""Place a request that has come in its workflow, and say what is known of it before anything is predicted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chimera_router import translation
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import RequestError
from chimera_router.prediction.port import Observation, Predictor, Query
from chimera_router.protocol.events import Choose
from chimera_router.scheduling.types import SchedulingRequest
from chimera_router.settings import PoolSettings
from chimera_router.sharing.port import SharedWorkflows
from chimera_router.telemetry.metrics import Metrics
from chimera_router.values import value
from chimera_router.workflow import identity
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.recall import Lookup
from chimera_router.workflow.table import Arrival, ProgramTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePool:
    """The configuration in force and the predictor that fits it: replaced as one."""

    settings: PoolSettings
    predictor: Predictor


@value(kw_only=True)
class Arrived:
    """A request in its workflow, of which nothing is predicted yet.

    Attributes:
        pool: In force when it came.
        seconds: What it took to find its workflow.
    """

    pool: ActivePool
    asked: Choose
    arrival: Arrival
    query: Query
    request: SchedulingRequest
    seconds: float


class Arrivals:
    """Takes requests.

    Args:
        table: Knows the workflows.
        datastore: Knows the endpoints.
        metrics: Count lengths that are learned late.
        clock: Seconds on a monotonic clock.
        wall: Seconds since the Unix epoch.
        shared: What all pickers of the pool know of its workflows; None where each remembers its own.
    """

    def __init__(  # noqa: PLR0913 - what is known of a request comes from as many places
        self,
        table: ProgramTable,
        datastore: Datastore,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        shared: SharedWorkflows | None = None,
    ) -> None:
        self._table = table
        self._datastore = datastore
        self._metrics = metrics
        self._clock = clock
        self._wall = wall
        self._shared = shared

    def take(self, pool: ActivePool, asked: Choose) -> Arrived:
        """Find a request's workflow; `leave` must follow unless an exchange begins.

        Raises:
            UnknownResponse: It goes on from a response that its tenant never got, or that is forgotten.
            InvalidRequest: It goes on from a response of another model than it names.
        """
        return self._placed(pool, asked, translation.conversation(asked), self._clock())

    async def receive(self, pool: ActivePool, asked: Choose) -> Arrived:
        """The same, once other pickers have had a moment to say what they know of the workflow."""
        started = self._clock()
        conversation = translation.conversation(asked)
        if self._shared is not None:
            await self.recall(self._table.lookup(conversation, identity.claim(asked.headers)))
        return self._placed(pool, asked, conversation, started)

    async def recall(self, lookup: Lookup | None) -> None:
        """Learn what other pickers know, where there are any."""
        if self._shared is not None and lookup is not None:
            self._table.adopt(lookup.tenant, await self._shared.look_up(lookup), self._clock())

    def leave(self, arrived: Arrived) -> None:
        """It takes no part in its workflow any more."""
        self._table.leave(arrived.arrival.program, self._clock())

    def _placed(self, pool: ActivePool, asked: Choose, conversation: Conversation, started: float) -> Arrived:
        arrival = self._table.arrive(
            conversation,
            claim=identity.claim(asked.headers),
            retry=identity.retries(asked.headers),
            now=self._clock(),
        )
        self._learn_late(pool.predictor, arrival)
        try:
            request = translation.scheduling_request(asked, arrival, at=self._wall(), addresses=self._addresses)
        except RequestError:
            self._table.leave(arrival.program, self._clock())
            raise
        return Arrived(
            pool=pool,
            asked=asked,
            arrival=arrival,
            query=translation.query(asked.request, asked.headers, arrival.program),
            request=request,
            seconds=self._clock() - started,
        )

    def _addresses(self) -> Iterator[str]:
        return (endpoint.address for endpoint in self._datastore.endpoints)

    def _learn_late(self, predictor: Predictor, arrival: Arrival) -> None:
        """Learn the length of an answer that passed unseen from the request that sends it back."""
        told = self._table.tell(arrival)
        if told is None:
            return
        untold, tokens = told
        observation = Observation(
            model=untold.model,
            stage=untold.stage,
            output_tokens=tokens,
            predicted_tokens=untold.predicted_tokens,
            fingerprint=untold.fingerprint,
            tenant=identity.tenant_digest(arrival.conversation.tenant),
            at=self._wall(),
        )
        predictor.observe(observation)
        self._metrics.output_tokens.labels(untold.model).observe(tokens)
