"""Take a request from its parsed form to a route, and account for what becomes of it.

The one place where identity, predictions, snapshot and decision meet. Runs on the event loop and owns the program table
and the ledger; waits only for the predictor, which keeps its own deadline.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import uuid4

from chimera_router import forwarding, translation
from chimera_router.accounting.sampling import Sampling
from chimera_router.accounting.unseen import Unseen
from chimera_router.arrivals import ActivePool, Arrivals, Arrived
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import NoEndpoints
from chimera_router.exchange import Exchange
from chimera_router.flowcontrol.room import Room
from chimera_router.forwarding import Forwarding
from chimera_router.holding import Holding
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.prediction.correction import corrected
from chimera_router.prediction.port import Judgement
from chimera_router.protocol.events import Accounting, Choose, ChooseAny
from chimera_router.protocol.intake import Intake
from chimera_router.protocol.rules import Rules
from chimera_router.scheduling.asleep import with_stand_ins
from chimera_router.scheduling.fitting import Fits
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import (
    Decision,
    EngineMetrics,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    Reason,
    Rejection,
    SchedulingRequest,
)
from chimera_router.sharing.port import SharedWorkflows
from chimera_router.tally import Tally
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow import identity, recall
from chimera_router.workflow.table import ProgramTable

Step = TypeVar("Step")


@dataclass(slots=True, kw_only=True)
class Director:
    """Chooses for one pool.

    Attributes:
        clock: Seconds on a monotonic clock.
        wall: Seconds since the Unix epoch.
        conformance: Whether GIE's conformance tests may say where their requests go.
        new_request_id: Returns the id of a request that the gateway gave none.
        cache_salt: Returns what separates a tenant's prompts from others' in prefix caches; empty separates none.
        intake: Of the bodies that are being read.
        sampling: Says which answers are looked at, where that is up to the picker.
        unseen: The answers that nobody looks at.
        shared: What all pickers of the pool know of its workflows; None where each remembers its own.
        began: When it began, in seconds on the clock.
    """

    pool: ActivePool
    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    metrics: Metrics
    clock: Callable[[], float]
    wall: Callable[[], float]
    conformance: bool = False
    new_request_id: Callable[[], str] = field(default=lambda: uuid4().hex)
    cache_salt: Callable[[str], str] = field(default=lambda _tenant: "")
    intake: Intake = field(default_factory=Intake)
    sampling: Sampling = field(default_factory=Sampling)
    unseen: Unseen = field(default_factory=Unseen)
    shared: SharedWorkflows | None = None
    tally: Tally = field(default_factory=Tally)
    fits: Fits = field(default_factory=Fits)
    meters: Meters = field(default_factory=Meters)
    steering: Steering = field(default_factory=Steering)
    holding: Holding = field(init=False)
    arrivals: Arrivals = field(init=False)
    began: float = field(init=False)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.began = self.clock()
        self.holding = Holding(room=self._room, clock=self.clock, registry=self.metrics.registry)
        self.arrivals = Arrivals(
            self.table, self.datastore, self.metrics, clock=self.clock, wall=self.wall, shared=self.shared
        )
        if self.shared is not None:
            self.table.changed = self.shared.tell
        self.datastore.changed = self.holding.wake
        self.datastore.counted = self._counted

    @property
    def rules(self) -> Rules:
        """What holds for new streams."""
        settings = self.pool.settings
        return Rules(
            catalog=settings.catalog,
            limits=settings.limits,
            intake=self.intake,
            prefix=settings.prefix,
            conformance=self.conformance,
        )

    def forward(self, asked: ChooseAny) -> Forwarding:
        """Return where a request of a conformance test goes, which is no call of an API and is passed on as it is.

        Raises:
            NoEndpoints: Nothing that it allows can take it now.
        """
        return Forwarding(forwarding.route(asked, self.snapshot(), turn=next(self._turns)))

    @property
    def prompt(self) -> bool:
        """Whether a choice waits for nobody: then `choose_all` may be called."""
        return self.shared is None and self.pool.predictor.prompt and self.pool.settings.flow_control is None

    def choose_all(self, asked: Sequence[Choose]) -> list[Exchange | Exception]:
        """Return, at once, what each request begins, or why it is refused: as `choose`, but predicted together.

        The requests are decided on in their order; each sees the ones before it. What is no RequestError is a fault of
        ours, which concerns that request alone.
        """
        pool = self.pool
        arrived = [self._attempt(partial(self.arrivals.take, pool, each)) for each in asked]
        started, queries = self.clock(), [each.query for each in arrived if isinstance(each, Arrived)]
        predictions = iter(pool.predictor.predict_all(queries))
        seconds = (self.clock() - started) / max(1, len(queries))
        return [
            each
            if isinstance(each, Exception)
            else self._attempt(partial(self._choose, each, next(predictions), seconds))
            for each in arrived
        ]

    async def choose(self, asked: Choose) -> Exchange:
        """Return the exchange that a request begins.

        Raises:
            NoEndpoints: Nothing can take it now.
            UnknownResponse: It goes on from a response that its tenant never got, or that is forgotten.
            InvalidRequest: It goes on from a response of another model than it names.
            Overloaded: Flow control refuses it.
        """
        arrived = await self.arrivals.receive(self.pool, asked)
        try:
            started = self.clock()
            predictions = await arrived.pool.predictor.predict(arrived.query)
            return await self._admit(arrived, predictions, self.clock() - started)
        except BaseException:  # it takes no part in its workflow unless it begins
            self.arrivals.leave(arrived)
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
        predictions = await self.pool.predictor.predict(translation.query(request, headers, None))
        return self._schedule(self.pool, scheduling, predictions, self.snapshot())

    async def judge(self, success: float, *, tenant: str, workflow_id: str = "", request_id: str = "") -> str:
        """Take feedback on a workflow, named by its own id or its latest request's; return the model that answered.

        Raises:
            UnknownWorkflow: There is none such.
            AlreadyJudged: It has been judged.
        """
        await self.arrivals.recall(recall.judged(tenant, workflow_id=workflow_id, request_id=request_id))
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

    def _counted(self, address: str, metrics: EngineMetrics) -> None:
        there = metrics.running + metrics.waiting
        self.unseen.counted(address, there=there, own=metrics.own, at=metrics.scraped_at)

    def _choose(self, arrived: Arrived, predictions: Predictions, seconds: float) -> Exchange:
        try:
            return self._begin(arrived, predictions, self._snapshot(arrived.pool), seconds=seconds)
        except Exception:
            self.arrivals.leave(arrived)
            raise

    @staticmethod
    def _attempt(step: Callable[[], Step]) -> Step | Exception:
        try:
            return step()
        except Exception as refused:  # noqa: BLE001 - handed to whom it concerns
            return refused

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

    async def _admit(self, arrived: Arrived, predictions: Predictions, seconds: float) -> Exchange:
        pool, snapshot = arrived.pool, self._snapshot(arrived.pool)
        limits, scheduler = pool.settings.flow_control, pool.settings.scheduler
        if limits is None:
            return self._begin(arrived, predictions, snapshot, seconds=seconds)
        chosen = self._wished(pool, arrived.request, predictions, self.holding.expected(snapshot))
        wake = pool.settings.models[chosen.model].wake
        item = translation.item(
            arrived.asked, arrived.request, chosen, scheduler, limits=limits, wake=wake, now=self.clock()
        )
        begin = partial(self._begin, arrived, predictions, chosen=chosen, seconds=seconds)
        return await self.holding.admit(item, chosen, begin, limits)

    def _wished(
        self, pool: ActivePool, request: SchedulingRequest, predictions: Predictions, snapshot: PoolSnapshot
    ) -> Decision:
        """Return the decision, where no engine can take the request one for a model that is woken by it.

        A model that would have been chosen were it awake is asked for even where another serves the request.
        """
        whole = with_stand_ins(snapshot)
        if whole is snapshot:
            return self._schedule(pool, request, predictions, snapshot)
        wished = self._schedule(pool, request, predictions, whole)
        self.tally.asked[wished.model] = self.clock()
        try:
            return self._schedule(pool, request, predictions, snapshot)
        except NoEndpoints:
            return wished

    def _room(self) -> Room:
        return Room(self.snapshot(), now=self.clock(), metrics_max_age=self.pool.settings.scheduler.metrics_max_age)

    def _begin(
        self,
        arrived: Arrived,
        predictions: Predictions,
        snapshot: PoolSnapshot,
        *,
        chosen: Decision | None = None,
        seconds: float,
    ) -> Exchange:
        """Decide and begin; where a model was chosen before, among its open endpoints, for the reasons given then.

        Args:
            arrived: The request.
            predictions: For it.
            snapshot: The endpoints that are open to it.
            chosen: What was decided when it came.
            seconds: What the predictions took.
        """
        resumed = self.clock()
        decision = self._schedule(arrived.pool, arrived.request, predictions, snapshot)
        if chosen is not None:
            decision = replace(decision, reason=chosen.reason, verdicts=chosen.verdicts)
        exchange = self._exchange(arrived, decision)
        self.metrics.prediction_seconds.observe(seconds)
        self._count(arrived, decision, arrived.seconds + seconds + (self.clock() - resumed))
        return exchange

    def _exchange(self, arrived: Arrived, decision: Decision) -> Exchange:
        asked, program, model = arrived.asked, arrived.arrival.program, arrived.pool.settings.models[decision.model]
        prompt_tokens = asked.request.prompt_tokens
        request_id = identity.request_id(asked.headers) or self.new_request_id()
        self.datastore.sent(decision.endpoint.address)
        self.table.assign(
            program,
            translation.assignment(decision, prompt_tokens=prompt_tokens),
            confidence=_uncorrected(decision.prediction),
            corrected=decision.prediction.confidence,
            request_id=request_id,
        )
        return Exchange(
            accounts=self,
            decision=decision,
            program=program,
            conversation=arrived.arrival.conversation,
            predictor=arrived.pool.predictor,
            query=arrived.query,
            route=translation.route(
                decision,
                model,
                program,
                asked.headers,
                request_id=request_id,
                cache_salt=self.cache_salt(arrived.arrival.conversation.tenant),
                accounting=self._accounting(),
            ),
            request_id=request_id,
            ticket=self.ledger.open(decision, prompt_tokens=prompt_tokens),
            configured=model,
            passing=self._pass(model, decision, asked.request),
            began=self.clock(),
        )

    def _accounting(self) -> Accounting:
        configured = self.pool.settings.accounting
        return self.sampling.next() if configured is None else configured

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

    def _count(self, arrived: Arrived, decision: Decision, seconds: float) -> None:
        arrival, metrics, confidence = arrived.arrival, self.metrics, decision.prediction.confidence
        metrics.decision_seconds.observe(seconds)
        metrics.decisions.labels(decision.model, decision.reason).inc()
        metrics.requests.labels(decision.model).inc()
        metrics.confidence.labels(decision.model).observe(confidence)
        metrics.stages.labels(arrival.found_by).inc()
        metrics.applications.labels(decision.application).inc()
        if decision.reason is Reason.POLICY:
            self.steering.observe(confidence=confidence, now=self.clock(), decision=decision)
        if self.tally.count(arrival, decision, previous=arrived.request.assignment, now=self.clock()):
            metrics.kept.inc()


def _uncorrected(prediction: ModelPrediction) -> float:
    return corrected(prediction.confidence, -prediction.confidence_logits)
