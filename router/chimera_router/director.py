"""Take a request from its parsed form to a route, and account for what becomes of it.

The one place where identity, predictions, snapshot and decision meet. Runs on the event loop and owns the program table
and the ledger; waits only for the predictor, which keeps its own deadline.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from chimera_router import wire
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import InvalidRequest, NoEndpoints
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol import asking
from chimera_router.flowcontrol.room import Room
from chimera_router.holding import Holding
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.prediction.correction import corrected
from chimera_router.prediction.port import Judgement, Predictor, Query
from chimera_router.protocol import mutations
from chimera_router.protocol.events import Choose, Headers, Route
from chimera_router.scheduling.fitting import Fits
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import (
    Assignment,
    Decision,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    Reason,
    Rejection,
    SchedulingRequest,
)
from chimera_router.settings import PoolSettings
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow import identity
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import Arrival, Program, ProgramTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePool:
    """The configuration in force and the predictor that fits it: replaced as one."""

    settings: PoolSettings
    predictor: Predictor


@dataclass(slots=True)
class Tally:
    """Counts since the start, for the status page."""

    requests: Counter[str] = field(default_factory=Counter)
    stages: int = 0
    later_stages: int = 0
    recognised: int = 0
    kept: int = 0


@dataclass(slots=True, kw_only=True)
class Director:
    """Chooses for one pool.

    Attributes:
        clock: Seconds on a monotonic clock.
        wall: Seconds since the Unix epoch.
    """

    pool: ActivePool
    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    metrics: Metrics
    clock: Callable[[], float]
    wall: Callable[[], float]
    tally: Tally = field(default_factory=Tally)
    fits: Fits = field(default_factory=Fits)
    meters: Meters = field(default_factory=Meters)
    steering: Steering = field(default_factory=Steering)
    holding: Holding = field(init=False)

    def __post_init__(self) -> None:
        self.holding = Holding(room=self._room, clock=self.clock, registry=self.metrics.registry)
        self.datastore.changed = self.holding.wake

    async def choose(self, asked: Choose) -> Exchange:
        """Return the exchange that a request begins.

        Raises:
            NoEndpoints: Nothing can take it now.
            UnknownResponse: It goes on from a response that its tenant never got, or that is forgotten.
            InvalidRequest: It goes on from a response of another model than it names.
            Overloaded: Flow control refuses it.
        """
        started, pool = self.clock(), self.pool
        arrival = self._arrive(asked)
        program = arrival.program
        query = _query(asked.request, asked.headers, program)
        begun: list[Exchange] = []
        try:
            request = self._request(asked, arrival)
            predictions = await self._predict(pool, query)
            ready = self.clock()

            def begin(snapshot: PoolSnapshot, chosen: Decision | None = None) -> Exchange:
                resumed = self.clock()
                decision = self._schedule(pool, request, predictions, snapshot)
                if chosen is not None:  # only its endpoint was open
                    decision = replace(decision, reason=chosen.reason, verdicts=chosen.verdicts)
                begun.append(self._begin(pool, decision, asked, arrival=arrival, query=query))
                self._count(arrival, request.assignment, decision, (ready - started) + (self.clock() - resumed))
                return begun[0]

            return await self._admitted(pool, asked, request, predictions, begin)
        except BaseException:
            if not begun:  # an exchange leaves by itself
                self.table.leave(program, self.clock())
            raise

    async def explain(self, request: ParsedRequest, headers: Mapping[str, str], pinned: str | None) -> Decision:
        """Return the decision a new workflow's first request would get now, and send nothing.

        Args:
            request: The body as it would be sent.
            headers: Of them those that name tenant and application are read.
            pinned: The model that the request names; None asks for the full choice.

        Raises:
            NoEndpoints: Nothing could take it.
        """
        scheduling = SchedulingRequest(
            workflow=self.table.opened, prompt_tokens=request.prompt_tokens, arrival=self.wall(), pinned=pinned
        )
        predictions = await self._predict(self.pool, _query(request, headers, None))
        return self._schedule(self.pool, scheduling, predictions, self.snapshot())

    def judge(self, success: float, *, tenant: str, workflow_id: str = "", request_id: str = "") -> str:
        """Take feedback on a workflow, named by its own id or its latest request's; return the model that answered.

        Raises:
            UnknownWorkflow: There is none such.
            AlreadyJudged: It has been judged.
        """
        choice = self.table.judge(tenant, workflow_id=workflow_id, request_id=request_id, now=self.clock())
        judgement = Judgement(
            model=choice.model,
            confidence=choice.confidence,
            success=success,
            tenant=identity.tenant_digest(tenant),
            at=self.wall(),
        )
        self.pool.predictor.judge(judgement)
        self.metrics.judgements.labels(choice.model).inc()
        self.metrics.confidence_off(choice.model, before=choice.confidence, after=choice.corrected, success=success)
        return choice.model

    def snapshot(self) -> PoolSnapshot:
        """Return the pool at this moment."""
        return self._snapshot(self.pool)

    def released(self) -> None:
        """A request has left its endpoint: another one may go there."""
        self.holding.wake()

    def workflows(self) -> int:
        """Return the number of workflows in the table."""
        return len(self.table)

    def _arrive(self, asked: Choose) -> Arrival:
        request = asked.request
        tenant = identity.tenant(asked.headers)
        return self.table.arrive(
            Conversation.of(request.messages, tenant=tenant, previous=request.previous),
            claim=identity.claim(asked.headers),
            retry=identity.retries(asked.headers),
            now=self.clock(),
        )

    def _request(self, asked: Choose, arrival: Arrival) -> SchedulingRequest:
        if arrival.held and asked.pinned not in (None, arrival.held.model):
            raise InvalidRequest("model must be the one that made the previous response", param="model")
        return SchedulingRequest(
            workflow=arrival.program.ordinal,
            prompt_tokens=asked.request.prompt_tokens,
            arrival=self.wall(),
            tokens_so_far=arrival.program.tokens,
            pinned=asked.pinned,
            assignment=arrival.held or arrival.program.assignment,
            subset=_holding(asked.subset, arrival.held),
        )

    async def _predict(self, pool: ActivePool, query: Query) -> Predictions:
        asked = self.clock()
        predictions = await pool.predictor.predict(query)
        self.metrics.prediction_seconds.observe(self.clock() - asked)
        return predictions

    def _schedule(
        self, pool: ActivePool, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot
    ) -> Decision:
        now = self.clock()
        scheduler = self.steering.steered(pool.settings.scheduler, pool.settings.target, now)
        outcome = scheduler.schedule(request, predictions, snapshot, now)
        if isinstance(outcome, Rejection):
            raise NoEndpoints(reason=outcome.reason)
        return outcome

    def _snapshot(self, pool: ActivePool) -> PoolSnapshot:
        return self.datastore.snapshot(self.fits.fitted(pool.settings.models))

    async def _admitted(
        self, pool: ActivePool, asked: Choose, request: SchedulingRequest, predictions: Predictions, begin: "_Begin"
    ) -> Exchange:
        settings, snapshot = pool.settings, self._snapshot(pool)
        limits = settings.flow_control
        if limits is None:
            return begin(snapshot)
        decision = self._schedule(pool, request, predictions, self.holding.expected(snapshot))
        item = asking.item(
            request,
            decision,
            settings.scheduler,
            tenant=identity.tenant(asked.headers),
            objective=identity.objective(asked.headers),
            size=len(asked.request.body),
            limits=limits,
            now=self.clock(),
        )
        return await self.holding.admit(item, decision, lambda room: begin(room, decision), limits)

    def _room(self) -> Room:
        return Room(self.snapshot(), now=self.clock(), metrics_max_age=self.pool.settings.scheduler.metrics_max_age)

    def _begin(
        self, pool: ActivePool, decision: Decision, asked: Choose, *, arrival: Arrival, query: Query
    ) -> Exchange:
        program, prompt_tokens = arrival.program, asked.request.prompt_tokens
        self.table.assign(
            program,
            _assignment(decision, prompt_tokens),
            confidence=_uncorrected(decision.prediction),
            corrected=decision.prediction.confidence,
            request_id=identity.request_id(asked.headers),
        )
        return Exchange(
            accounts=self,
            decision=decision,
            program=program,
            conversation=arrival.conversation,
            predictor=pool.predictor,
            query=query,
            route=_route(decision, pool.settings, _response_headers(decision, program, asked.headers)),
            ticket=self.ledger.open(decision, prompt_tokens=prompt_tokens),
            configured=pool.settings.models[decision.model],
            passing=self._pass(pool, decision, asked),
            began=self.clock(),
        )

    def _pass(self, pool: ActivePool, decision: Decision, asked: Choose) -> Passing:
        address = decision.endpoint.address
        return self.meters.open(
            address,
            slots=pool.settings.models[decision.model].coefficients.max_num_seqs,
            uncached=max(0, asked.request.prompt_tokens - decision.cached_tokens),
            metrics=self.datastore.metrics(address),
            now=self.clock(),
            sequences=asked.request.choices,
        )

    def _count(self, arrival: Arrival, previous: Assignment | None, decision: Decision, seconds: float) -> None:
        metrics, tally = self.metrics, self.tally
        metrics.decision_seconds.observe(seconds)
        metrics.decisions.labels(decision.model, decision.reason).inc()
        metrics.requests.labels(decision.model).inc()
        metrics.confidence.labels(decision.model).observe(decision.prediction.confidence)
        if decision.reason is Reason.POLICY:
            self.steering.observe(confidence=decision.prediction.confidence, now=self.clock(), decision=decision)
        metrics.stages.labels(arrival.found_by).inc()
        metrics.applications.labels(decision.application).inc()
        tally.requests[decision.model] += 1
        tally.stages += 1
        if arrival.program.stage == 0:
            return
        tally.later_stages += 1
        tally.recognised += arrival.found_by is identity.FoundBy.MESSAGES
        if previous is not None and previous.model == decision.model:
            tally.kept += 1
            metrics.kept.inc()


def _holding(subset: frozenset[str] | None, held: Assignment | None) -> frozenset[str] | None:
    """Return the endpoints allowed: an engine keeps its responses in its own memory, so only that one knows them."""
    if held is None:
        return subset
    return frozenset((held.endpoint,)) & (subset if subset is not None else frozenset((held.endpoint,)))


class _Begin(Protocol):
    """Decides among the endpoints of a snapshot, once more where the model was chosen before, and begins."""

    def __call__(self, snapshot: PoolSnapshot, chosen: Decision | None = None) -> Exchange: ...


def _uncorrected(prediction: ModelPrediction) -> float:
    return corrected(prediction.confidence, -prediction.confidence_logits)


def _query(request: ParsedRequest, headers: Mapping[str, str], program: Program | None) -> Query:
    return Query(
        text=request.task,
        prompt_tokens=request.prompt_tokens,
        stage=program.stage if program else 0,
        tokens_so_far=program.tokens if program else 0,
        last_tokens=program.last_tokens if program else 0,
        largest_tokens=program.largest_tokens if program else 0,
        last_text=request.messages[-1].body,
        application=identity.application(headers),
        fingerprint=identity.fingerprint(request, headers),
        tenant=identity.tenant_digest(identity.tenant(headers)),
        max_tokens=request.max_tokens,
    )


def _assignment(decision: Decision, prompt_tokens: int) -> Assignment:
    return Assignment(model=decision.model, endpoint=decision.endpoint.address, seen_tokens=prompt_tokens)


def _route(decision: Decision, settings: PoolSettings, headers: Headers) -> Route:
    return Route(
        destination=decision.endpoint.address,
        model=settings.models[decision.model].served_name or decision.model,
        priority=decision.priority,
        response_headers=headers,
    )


def _response_headers(decision: Decision, program: Program, asked: Mapping[str, str]) -> Headers:
    always = ((wire.MODEL, decision.model), (wire.WORKFLOW_ID, program.id))
    if asked.get(wire.EXPLAIN, "").lower() != "true":
        return always
    return (*always, (wire.DECISION, mutations.explanation(decision)))
