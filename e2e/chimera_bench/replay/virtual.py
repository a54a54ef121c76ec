"""Replay a workload in virtual time: the picker's own scheduler in front of a simulated pool.

What is left out of the picker: reading bodies and telling workflows apart (each is known here), and waiting for
predictions, which were made beforehand. Clients send a workflow's next request the moment they have the answer.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial

from chimera_bench.engine.types import DoesNotFit, SchedulingPolicy
from chimera_bench.replay.foresight import Foresight
from chimera_bench.replay.holding import Holding, Turn
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.retries import RETRIES, pause_after
from chimera_bench.replay.run import Run
from chimera_bench.replay.simulated_pool import SimulatedPool
from chimera_bench.serving import ServingPool
from chimera_bench.workload import Arrival
from chimera_router.engines.pacing import FAST
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision, PoolSnapshot, Predictions, Rejection, SchedulingRequest


def replay(  # noqa: PLR0913 - all that a replay depends on, by name
    arrivals: Sequence[Arrival],
    *,
    pool: ServingPool,
    scheduler: Scheduler,
    predictions: Foresight,
    scheduling: SchedulingPolicy = SchedulingPolicy.PRIORITY,
    flow_control: HoldLimits | None = None,
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
        flow_control: Has requests wait in the picker while no engine can take them; None sends them on.
        seed: Of the moment of the first scrape.
        on_result: Called with each workflow's result as it ends.
    """
    results: dict[int, WorkflowResult] = {}

    def on_end(ordinal: int, result: WorkflowResult) -> None:
        results[ordinal] = result
        on_result(result)

    first_scrape = random.Random(seed).uniform(0, FAST)  # noqa: S311 - a simulation, no secret
    simulated = SimulatedPool(pool, scheduling)
    holding = None if flow_control is None else Holding(simulated, scheduler, flow_control)
    _Replay(simulated, scheduler, predictions, holding, on_end).play(arrivals, first_scrape=first_scrape)
    return [results[ordinal] for ordinal in range(len(arrivals))]


class _Replay:
    def __init__(
        self,
        pool: SimulatedPool,
        scheduler: Scheduler,
        predictions: Foresight,
        holding: Holding | None,
        on_end: Callable[[int, WorkflowResult], None],
    ) -> None:
        self._pool = pool
        self._scheduler = scheduler
        self._predictions = predictions
        self._holding = holding
        self._on_end = on_end
        self._open = 0

    def play(self, arrivals: Sequence[Arrival], *, first_scrape: float) -> None:
        self._open = len(arrivals)
        self._pool.scrape()
        self._pool.keep_scraping(lambda: self._open > 0, first=first_scrape)
        for ordinal, arrival in enumerate(arrivals):
            self._pool.time.call_at(arrival.at, partial(self._ask, Run(arrival=arrival, ordinal=ordinal)))
        self._pool.time.run()

    def _ask(self, run: Run) -> None:
        request = run.request(self._pool.time.now)
        foreseen = self._predictions.of(run.arrival.task.task_id, len(run.stages))
        if self._holding is None:
            self._decide(run, request, foreseen, self._pool.snapshot())
            return
        turn = Turn(begin=partial(self._decide, run, request, foreseen), refuse=partial(self._refused, run))
        self._holding.ask(request, foreseen, turn)

    def _decide(self, run: Run, request: SchedulingRequest, foreseen: Predictions, snapshot: PoolSnapshot) -> None:
        outcome = self._scheduler.schedule(request, foreseen, snapshot, self._pool.time.now)
        if isinstance(outcome, Rejection):
            self._refused(run)
        else:
            self._send(run, outcome, request)

    def _refused(self, run: Run) -> None:
        if run.retries == RETRIES:
            self._give_up(run)
            return
        time = self._pool.time
        time.call_at(time.now + pause_after(run.retries), partial(self._ask, run))
        run.retries += 1

    def _send(self, run: Run, decision: Decision, request: SchedulingRequest) -> None:
        run.assign(decision, request)
        answered = partial(self._answered, run, decision.model)
        generation = run.generation(decision)
        try:
            self._pool.send(decision, generation, prompt_tokens=request.prompt_tokens, on_end=answered)
        except DoesNotFit:
            self._give_up(run)

    def _answered(self, run: Run, model: str) -> None:
        if run.answered(model):
            self._ask(run)
        else:
            self._end(run)

    def _give_up(self, run: Run) -> None:
        run.give_up()
        self._end(run)

    def _end(self, run: Run) -> None:
        self._open -= 1
        self._on_end(run.ordinal, run.result(self._pool.time.now))
