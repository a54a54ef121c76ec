"""What a decision costs in a large pool: schedule, snapshot and ledger, with many requests in flight everywhere."""

import random
import time
from collections.abc import Callable

from chimera_router.datalayer.datastore import Datastore
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.orders import EPOCH, RemainingFirst
from chimera_router.scheduling.policies import Marginal, Policy, Slack
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Coefficients,
    Decision,
    Endpoint,
    EngineMetrics,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    PredictionSource,
    Reason,
    SchedulingRequest,
)

ENDPOINTS = 100
MODELS = 10
IN_FLIGHT = 40  # requests on each endpoint, half of them without a token yet
SLOTS = 256  # sequences an engine runs at once: room for all of them
FEW_SLOTS = 16  # so few that most of them queue


def measure(rounds: int) -> dict[str, list[float]]:
    """Return seconds of each repetition, by part."""
    roomy, crowded = _Pool(SLOTS), _Pool(FEW_SLOTS)
    return {
        "schedule, slack": _timed(roomy.scheduling(Slack()), rounds),
        "schedule, marginal": _timed(roomy.scheduling(Marginal()), rounds),
        "schedule, marginal, engines queue": _timed(crowded.scheduling(Marginal()), rounds),
        "snapshot, nothing changed": _timed(roomy.snapshot, rounds),
        "snapshot, every endpoint changed": _timed(roomy.snapshot, rounds, before=roomy.generate),
        "ledger, from open to close": _timed(roomy.passing(), rounds),
    }


class _Pool:
    """A pool whose every endpoint holds as many requests."""

    def __init__(self, slots: int) -> None:
        self._draw = random.Random(0)  # noqa: S311 - a workload, not a secret
        self._models = {model.name: model for model in _models(slots)}
        self._ledger = Ledger()
        self._datastore = Datastore(self._ledger)
        self._datastore.replace(_endpoint(number) for number in range(ENDPOINTS))
        for endpoint in self._datastore.endpoints:
            self._datastore.answered(endpoint.address, EngineMetrics(running=0, waiting=0, kv_usage=0.1))
        self._tickets = self._fill()
        self._generated = 0
        self.generate()

    def snapshot(self) -> PoolSnapshot:
        return self._datastore.snapshot(self._models)

    def generate(self) -> None:
        """Let every second request, and so every endpoint, gain a token."""
        self._generated += 1
        for ticket in self._tickets[::2]:
            self._ledger.progress(ticket, generated=self._generated)

    def scheduling(self, policy: Policy) -> Callable[[], object]:
        scheduler, snapshot = Scheduler(policy=policy), self.snapshot()
        request, predictions = _request(0, prompt_tokens=1000), self._predictions()
        return lambda: scheduler.schedule(request, predictions, snapshot, now=0.0)

    def passing(self) -> Callable[[], None]:
        decision = self._decision(self._datastore.endpoints[0], _request(0, prompt_tokens=1000))

        def passes() -> None:
            ticket = self._ledger.open(decision, prompt_tokens=1000)
            self._ledger.progress(ticket, generated=1)
            self._ledger.close(ticket)

        return passes

    def _fill(self) -> list[Ticket]:
        requests = [_request(number, prompt_tokens=1000) for number in range(IN_FLIGHT)]
        return [
            self._ledger.open(self._decision(endpoint, request), prompt_tokens=request.prompt_tokens)
            for endpoint in self._datastore.endpoints
            for request in requests
        ]

    def _decision(self, endpoint: Endpoint, request: SchedulingRequest) -> Decision:
        prediction = _prediction(self._draw)
        return Decision(
            model=endpoint.model,
            endpoint=endpoint,
            priority=RemainingFirst().rank(request, prediction),
            policy="",
            reason=Reason.POLICY,
            prediction=prediction,
            latency=1.0,
            source=PredictionSource.BUNDLE,
            verdicts=(),
        )

    def _predictions(self) -> Predictions:
        by_model = {name: _prediction(self._draw) for name in self._models}
        return Predictions(by_model=by_model, source=PredictionSource.BUNDLE)


def _models(slots: int) -> list[Model]:
    return [
        Model(
            name=f"model-{number}",
            coefficients=Coefficients(
                base_step=0.004 * (1 + number),
                per_sequence=3e-5,
                prefill_per_token=2e-5,
                max_num_seqs=slots,
                kv_tokens=500_000,
            ),
            priority=True,
        )
        for number in range(MODELS)
    ]


def _endpoint(number: int) -> Endpoint:
    return Endpoint(name=f"endpoint-{number}", address=f"10.0.0.{number}:8000", model=f"model-{number % MODELS}")


def _request(number: int, *, prompt_tokens: int) -> SchedulingRequest:
    return SchedulingRequest(workflow=number, prompt_tokens=prompt_tokens, arrival=EPOCH + number)


def _prediction(draw: random.Random) -> ModelPrediction:
    tokens = draw.expovariate(1 / 200)
    return ModelPrediction(confidence=draw.random(), stage_tokens=tokens, remaining_tokens=3 * tokens)


def _timed(work: Callable[[], object], rounds: int, *, before: Callable[[], None] = lambda: None) -> list[float]:
    seconds = []
    for _ in range(rounds):
        before()
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds
