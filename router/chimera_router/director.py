"""Take a request from its parsed form to a route, and account for what becomes of it.

The one place where identity, predictions, snapshot and decision meet. Runs on the event loop and owns the program table
and the ledger; waits only for the predictor, which keeps its own deadline.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from chimera_router import forwarding, translation
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import NoEndpoints
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol.room import Room
from chimera_router.forwarding import Forwarding
from chimera_router.holding import Holding
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.prediction.correction import corrected
from chimera_router.prediction.port import Judgement, Predictor, Query
from chimera_router.protocol.events import Choose, ChooseAny
from chimera_router.protocol.intake import Intake
from chimera_router.protocol.rules import Rules
from chimera_router.scheduling.fitting import Fits
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import (
    Decision,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    Reason,
    Rejection,
    SchedulingRequest,
)
from chimera_router.settings import PoolSettings
from chimera_router.tally import Tally
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow import identity
from chimera_router.workflow.table import Arrival, ProgramTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePool:
    """The configuration in force and the predictor that fits it: replaced as one."""

    settings: PoolSettings
    predictor: Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A request that is ready to begin, once an endpoint is open to it.

    Attributes:
        pool: In force when it came.
        presence: Takes it from its workflow unless it begins.
        seconds: What it took to find its workflow and to predict.
    """

    pool: ActivePool
    asked: Choose
    arrival: Arrival
    presence: ExitStack
    query: Query
    request: SchedulingRequest
    predictions: Predictions
    seconds: float


@dataclass(slots=True, kw_only=True)
class Director:
    """Chooses for one pool.

    Attributes:
        clock: Seconds on a monotonic clock.
        wall: Seconds since the Unix epoch.
        conformance: Whether GIE's conformance tests may say where their requests go.
        intake: Of the bodies that are being read.
    """

    pool: ActivePool
    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    metrics: Metrics
    clock: Callable[[], float]
    wall: Callable[[], float]
    conformance: bool = False
    intake: Intake = field(default_factory=Intake)
    tally: Tally = field(default_factory=Tally)
    fits: Fits = field(default_factory=Fits)
    meters: Meters = field(default_factory=Meters)
    steering: Steering = field(default_factory=Steering)
    holding: Holding = field(init=False)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.holding = Holding(room=self._room, clock=self.clock, registry=self.metrics.registry)
        self.datastore.changed = self.holding.wake

    @property
    def rules(self) -> Rules:
        """What holds for new streams."""
        settings = self.pool.settings
        return Rules(catalog=settings.catalog, limits=settings.limits, intake=self.intake, conformance=self.conformance)

    def forward(self, asked: ChooseAny) -> Forwarding:
        """Return where a request of a conformance test goes, which is no call of an API and is passed on as it is.

        Raises:
            NoEndpoints: Nothing that it allows can take it now.
        """
        return Forwarding(forwarding.route(asked, self.snapshot(), turn=next(self._turns)))

    async def choose(self, asked: Choose) -> Exchange:
        """Return the exchange that a request begins.

        Raises:
            NoEndpoints: Nothing can take it now.
            UnknownResponse: It goes on from a response that its tenant never got, or that is forgotten.
            InvalidRequest: It goes on from a response of another model than it names.
            Overloaded: Flow control refuses it.
        """
        started, pool = self.clock(), self.pool
        with ExitStack() as presence:
            arrival = self._arrive(asked)
            presence.callback(lambda: self.table.leave(arrival.program, self.clock()))
            query = translation.query(asked.request, asked.headers, arrival.program)
            request = translation.scheduling_request(asked, arrival, at=self.wall())
            predictions = await self._predict(pool, query)
            pending = _Pending(
                pool=pool,
                asked=asked,
                arrival=arrival,
                presence=presence,
                query=query,
                request=request,
                predictions=predictions,
                seconds=self.clock() - started,
            )
            return await self._admit(pending)

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
        predictions = await self._predict(self.pool, translation.query(request, headers, None))
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
        return self.table.arrive(
            translation.conversation(asked),
            claim=identity.claim(asked.headers),
            retry=identity.retries(asked.headers),
            now=self.clock(),
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

    async def _admit(self, pending: _Pending) -> Exchange:
        pool, snapshot = pending.pool, self._snapshot(pending.pool)
        limits, scheduler = pool.settings.flow_control, pool.settings.scheduler
        if limits is None:
            return self._begin(pending, snapshot)
        chosen = self._schedule(pool, pending.request, pending.predictions, self.holding.expected(snapshot))
        item = translation.item(pending.asked, pending.request, chosen, scheduler, limits=limits, now=self.clock())
        return await self.holding.admit(item, chosen, partial(self._begin, pending, chosen=chosen), limits)

    def _room(self) -> Room:
        return Room(self.snapshot(), now=self.clock(), metrics_max_age=self.pool.settings.scheduler.metrics_max_age)

    def _begin(self, pending: _Pending, snapshot: PoolSnapshot, *, chosen: Decision | None = None) -> Exchange:
        """Decide and begin; where a model was chosen before, among its open endpoints, for the reasons given then."""
        resumed = self.clock()
        decision = self._schedule(pending.pool, pending.request, pending.predictions, snapshot)
        if chosen is not None:
            decision = replace(decision, reason=chosen.reason, verdicts=chosen.verdicts)
        exchange = self._exchange(pending, decision)
        pending.presence.pop_all()  # the exchange leaves by itself
        self._count(pending, decision, pending.seconds + (self.clock() - resumed))
        return exchange

    def _exchange(self, pending: _Pending, decision: Decision) -> Exchange:
        asked, program, model = pending.asked, pending.arrival.program, pending.pool.settings.models[decision.model]
        prompt_tokens = asked.request.prompt_tokens
        self.datastore.sent(decision.endpoint.address)
        self.table.assign(
            program,
            translation.assignment(decision, prompt_tokens=prompt_tokens),
            confidence=_uncorrected(decision.prediction),
            corrected=decision.prediction.confidence,
            request_id=identity.request_id(asked.headers),
        )
        return Exchange(
            accounts=self,
            decision=decision,
            program=program,
            conversation=pending.arrival.conversation,
            predictor=pending.pool.predictor,
            query=pending.query,
            route=translation.route(decision, model, program, asked.headers),
            ticket=self.ledger.open(decision, prompt_tokens=prompt_tokens),
            configured=model,
            passing=self._pass(model, decision, asked.request),
            began=self.clock(),
        )

    def _pass(self, model: Model, decision: Decision, request: ParsedRequest) -> Passing:
        address = decision.endpoint.address
        return self.meters.open(
            address,
            slots=model.coefficients.max_num_seqs,
            uncached=max(0, request.prompt_tokens - decision.cached_tokens),
            metrics=self.datastore.metrics(address),
            now=self.clock(),
            sequences=request.choices,
        )

    def _count(self, pending: _Pending, decision: Decision, seconds: float) -> None:
        arrival, metrics, confidence = pending.arrival, self.metrics, decision.prediction.confidence
        metrics.decision_seconds.observe(seconds)
        metrics.decisions.labels(decision.model, decision.reason).inc()
        metrics.requests.labels(decision.model).inc()
        metrics.confidence.labels(decision.model).observe(confidence)
        metrics.stages.labels(arrival.found_by).inc()
        metrics.applications.labels(decision.application).inc()
        if decision.reason is Reason.POLICY:
            self.steering.observe(confidence=confidence, now=self.clock(), decision=decision)
        if self.tally.count(arrival, decision, previous=pending.request.assignment):
            metrics.kept.inc()


def _uncorrected(prediction: ModelPrediction) -> float:
    return corrected(prediction.confidence, -prediction.confidence_logits)
