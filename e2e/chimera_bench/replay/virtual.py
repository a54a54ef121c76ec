"""Replay a workload in virtual time: the picker's own scheduler, ledger and datastore over simulated engines.

What is left out of the picker: reading bodies and telling workflows apart (each is known here), and waiting for
predictions, which were made beforehand. Clients send a workflow's next request the moment they have the answer, and
the picker sees an engine's load as its scrapes do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import DoesNotFit, Event, EventKind, Request, SchedulingPolicy
from chimera_bench.replay.foresight import Foresight
from chimera_bench.replay.results import StageResult, WorkflowResult
from chimera_bench.replay.retries import RETRIES, pause_after
from chimera_bench.serving import ServingPool
from chimera_bench.workload import Arrival
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.scraper import INTERVAL
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.orders import EPOCH
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Assignment,
    Decision,
    Descriptor,
    Endpoint,
    EngineMetrics,
    Model,
    Rejection,
    SchedulingRequest,
)
from chimera_training.data import Stage, Workflow

# Seconds between two looks at the streams of an engine: a handful of tokens each, of the hundreds that are foreseen.
STREAM_INTERVAL = 0.05


def replay(  # noqa: PLR0913 - all that a replay depends on, by name
    arrivals: Sequence[Arrival],
    *,
    pool: ServingPool,
    scheduler: Scheduler,
    predictions: Foresight,
    scheduling: SchedulingPolicy = SchedulingPolicy.PRIORITY,
    seed: int = 0,
    on_result: Callable[[WorkflowResult], None] = lambda _: None,
) -> list[WorkflowResult]:
    """Replay a workload and return the results in order of arrival.

    Args:
        arrivals: The workload.
        pool: Its engines.
        scheduler: Decides, as in the picker.
        predictions: Of every task that arrives.
        scheduling: Order of the engines' queues.
        seed: Of the moment of the first scrape.
        on_result: Called with each workflow's result as it ends.
    """
    run = _Replay(pool, scheduler, predictions, scheduling)
    results: dict[int, WorkflowResult] = {}

    def ended(ordinal: int, result: WorkflowResult) -> None:
        results[ordinal] = result
        on_result(result)

    run.play(arrivals, ended, first_scrape=random.Random(seed).uniform(0, INTERVAL))  # noqa: S311 - no secret
    return [results[ordinal] for ordinal in range(len(arrivals))]


@dataclass(slots=True, kw_only=True)
class _Run:
    """One workflow under way; `retries` of the request in hand."""

    arrival: Arrival
    ordinal: int
    stages: list[StageResult] = field(default_factory=list)
    assignment: Assignment | None = None
    retries: int = 0

    def recorded(self, model: str) -> Workflow:
        return self.arrival.task.runs[model]

    def asks(self, model: str) -> Stage:
        """Return what a model was recorded to make of the next request; where its run was shorter, of its last."""
        stages = self.recorded(model).stages
        return stages[min(len(self.stages), len(stages) - 1)]

    def request(self, now: float) -> SchedulingRequest:
        models = [self.assignment.model] if self.assignment else self.arrival.task.runs
        return SchedulingRequest(
            workflow=self.ordinal,
            prompt_tokens=round(fmean(self.asks(model).prompt_tokens for model in models)),
            arrival=EPOCH + now,
            tokens_so_far=sum(stage.output_tokens for stage in self.stages),
            assignment=self.assignment,
        )

    def answered(self, model: str) -> bool:
        """Take the answer to the request in hand; tell whether another follows."""
        tokens = self.asks(model).output_tokens
        self.stages.append(StageResult(model=model, output_tokens=tokens, retries=self.retries))
        self.retries = 0
        return len(self.stages) < len(self.recorded(model).stages)

    def result(self, now: float) -> WorkflowResult:
        model = self.stages[-1].model
        return WorkflowResult(
            task_id=self.arrival.task.task_id,
            latency=now - self.arrival.at,
            stages=tuple(self.stages),
            success=model is not None and self.recorded(model).success,
        )


@dataclass(frozen=True, slots=True)
class _Sent:
    run: _Run
    ticket: Ticket
    model: str


class _Replay:
    def __init__(
        self, pool: ServingPool, scheduler: Scheduler, predictions: Foresight, scheduling: SchedulingPolicy
    ) -> None:
        ordered = scheduling is SchedulingPolicy.PRIORITY
        self._scheduler, self._predictions = scheduler, predictions
        self._models = {
            name: Model(
                name=name,
                coefficients=engine,
                descriptor=Descriptor(parameters_b=pool.params_b[name]),
                priority=ordered,
            )
            for name, engine in pool.coefficients.items()
        }
        endpoints = [
            Endpoint(name=f"{name}-{number}", address=f"{name}-{number}", model=name)
            for name in pool.models
            for number in range(pool.endpoints)
        ]
        self._engines = {
            each.address: Engine(
                pool.coefficients[each.model], scheduling=scheduling, prefix_caching=pool.prefix_caching
            )
            for each in endpoints
        }
        self._time = VirtualTime(self._engines, self._observe)
        self._ledger = Ledger()
        self._datastore = Datastore(self._ledger)
        self._datastore.replace(endpoints)
        self._sent: dict[str, _Sent] = {}
        self._looked_at = dict.fromkeys(self._engines, -STREAM_INTERVAL)
        self._open = 0

    def play(
        self, arrivals: Sequence[Arrival], ended: Callable[[int, WorkflowResult], None], *, first_scrape: float
    ) -> None:
        self._ended = ended
        self._open = len(arrivals)
        self._scrape()
        self._time.call_at(first_scrape, self._scrape_on)
        for ordinal, arrival in enumerate(arrivals):
            run = _Run(arrival=arrival, ordinal=ordinal)
            self._time.call_at(arrival.at, lambda run=run: self._ask(run))  # type: ignore[misc]
        self._time.run()

    def _scrape_on(self) -> None:
        self._scrape()
        if self._open:
            self._time.call_at(self._time.now + INTERVAL, self._scrape_on)

    def _scrape(self) -> None:
        now = self._time.now
        for address, engine in self._engines.items():
            metrics = EngineMetrics(
                running=len(engine.running), waiting=len(engine.waiting), kv_usage=engine.kv_usage(now), scraped_at=now
            )
            self._datastore.answered(address, metrics)

    def _ask(self, run: _Run) -> None:
        now = self._time.now
        self._progress(now)
        request = run.request(now)
        predictions = self._predictions.of(run.arrival.task.task_id, len(run.stages))
        outcome = self._scheduler.schedule(request, predictions, self._datastore.snapshot(self._models), now)
        if isinstance(outcome, Rejection):
            self._refused(run)
        else:
            self._send(run, outcome, request)

    def _progress(self, now: float) -> None:
        """Tell the ledger what streams have brought by now; the live picker is told with every chunk."""
        for address, engine in self._engines.items():
            if now - self._looked_at[address] >= STREAM_INTERVAL:
                self._looked_at[address] = now
                for request_id, generated in engine.progress(now):
                    self._ledger.progress(self._sent[request_id].ticket, generated=generated)

    def _refused(self, run: _Run) -> None:
        if run.retries == RETRIES:
            self._give_up(run)
            return
        self._time.call_at(self._time.now + pause_after(run.retries), lambda: self._ask(run))
        run.retries += 1

    def _send(self, run: _Run, decision: Decision, request: SchedulingRequest) -> None:
        model, address = decision.model, decision.endpoint.address
        asked = run.asks(model)
        generation = Request(
            id=f"{run.ordinal}/{len(run.stages)}",
            prompt_tokens=max(1, asked.prompt_tokens),
            output_tokens=max(1, asked.output_tokens),
            priority=decision.priority or 0,
            conversation=f"{run.ordinal}",
        )
        run.assignment = Assignment(model=model, endpoint=address, seen_tokens=request.prompt_tokens)
        ticket = self._ledger.open(decision, prompt_tokens=request.prompt_tokens)
        self._sent[generation.id] = _Sent(run, ticket, model)
        try:
            self._time.submit(address, generation)
        except DoesNotFit:
            self._ledger.close(self._sent.pop(generation.id).ticket)
            self._give_up(run)

    def _observe(self, _: str, event: Event) -> None:
        if event.kind is not EventKind.FINISHED:
            return
        sent = self._sent.pop(event.request.id)
        self._ledger.close(sent.ticket)
        if sent.run.answered(sent.model):
            self._ask(sent.run)
        else:
            self._end(sent.run)

    def _give_up(self, run: _Run) -> None:
        run.stages.append(StageResult(model=None, retries=run.retries))
        self._end(run)

    def _end(self, run: _Run) -> None:
        self._open -= 1
        self._ended(run.ordinal, run.result(self._time.now))
