"""Take a request from its parsed form to a route, and account for what becomes of it.

The one place where identity, predictions, snapshot and decision meet. Runs on the event loop and owns the program table
and the ledger; waits only for the predictor, which keeps its own deadline.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chimera_router import wire
from chimera_router.datalayer.datastore import Datastore
from chimera_router.errors import NoEndpoints
from chimera_router.exchange import Exchange
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.prediction.correction import corrected
from chimera_router.prediction.port import Judgement, Predictor, Query
from chimera_router.protocol import mutations
from chimera_router.protocol.events import Choose, Headers, Route
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import (
    Assignment,
    Decision,
    ModelPrediction,
    PoolSnapshot,
    Rejection,
    SchedulingRequest,
)
from chimera_router.settings import PoolSettings
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow import identity
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

    async def choose(self, asked: Choose) -> Exchange:
        """Return the exchange that a request begins.

        Raises:
            NoEndpoints: Nothing can take it now.
        """
        started, pool = self.clock(), self.pool
        arrival = self._arrive(asked)
        program = arrival.program
        query = _query(asked.request, asked.headers, program)
        decision = await self._decide(pool, query, self._request(asked, program))
        previous = program.assignment
        exchange = self._begin(pool, decision, asked, program=program, query=query)
        self._count(arrival, previous, decision, started)
        return exchange

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
        return await self._decide(self.pool, _query(request, headers, None), scheduling)

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
        return self.datastore.snapshot(self.pool.settings.models)

    def workflows(self) -> int:
        """Return the number of workflows in the table."""
        return len(self.table)

    def _arrive(self, asked: Choose) -> Arrival:
        running = identity.digests(asked.request.messages)
        return self.table.arrive(
            tenant=identity.tenant(asked.headers),
            claim=identity.claim(asked.headers),
            digest=running[-1],
            continuations=identity.continuations(asked.request.messages, running),
            now=self.clock(),
        )

    def _request(self, asked: Choose, program: Program) -> SchedulingRequest:
        return SchedulingRequest(
            workflow=program.ordinal,
            prompt_tokens=asked.request.prompt_tokens,
            arrival=self.wall(),
            tokens_so_far=program.tokens,
            pinned=asked.pinned,
            assignment=program.assignment,
            subset=asked.subset,
        )

    async def _decide(self, pool: ActivePool, query: Query, request: SchedulingRequest) -> Decision:
        asked = self.clock()
        predictions = await pool.predictor.predict(query)
        now = self.clock()
        self.metrics.prediction_seconds.observe(now - asked)
        snapshot = self.datastore.snapshot(pool.settings.models)
        outcome = pool.settings.scheduler.schedule(request, predictions, snapshot, now)
        if isinstance(outcome, Rejection):
            raise NoEndpoints(reason=outcome.reason)
        return outcome

    def _begin(
        self, pool: ActivePool, decision: Decision, asked: Choose, *, program: Program, query: Query
    ) -> Exchange:
        prompt_tokens = asked.request.prompt_tokens
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
            predictor=pool.predictor,
            query=query,
            route=_route(decision, pool.settings, _response_headers(decision, program, asked.headers)),
            ticket=self.ledger.open(decision, prompt_tokens=prompt_tokens),
            began=self.clock(),
        )

    def _count(self, arrival: Arrival, previous: Assignment | None, decision: Decision, started: float) -> None:
        metrics, tally = self.metrics, self.tally
        metrics.decision_seconds.observe(self.clock() - started)
        metrics.decisions.labels(decision.model, decision.reason).inc()
        metrics.requests.labels(decision.model).inc()
        metrics.confidence.labels(decision.model).observe(decision.prediction.confidence)
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
