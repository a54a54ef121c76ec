"""The real director over simulated engines, in virtual time."""

import json
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request
from chimera_router.arrivals import ActivePool
from chimera_router.datalayer.datastore import Datastore
from chimera_router.director import Director
from chimera_router.exchange import Exchange
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.usage import Usage
from chimera_router.prediction.port import Judgement, Observation, Query
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, Choose
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import (
    Coefficients,
    Endpoint,
    EngineMetrics,
    ModelPrediction,
    Predictions,
    PredictionSource,
)
from chimera_router.settings import PoolSettings
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow.table import ProgramTable

SCRAPE = 0.5  # seconds, as the picker's
MEAN_TOKENS, MEAN_PROMPT = 200, 700  # of agents' calls
_EDGE = {"small": 0.35, "large": 0.65}  # mean confidence, by model


@dataclass(slots=True)
class _Foresight:
    """Knows each request's tokens, and a confidence for each model that differs from request to request."""

    draw: random.Random
    tokens: int = 0
    source: PredictionSource = PredictionSource.BUNDLE

    async def predict(self, _query: Query) -> Predictions:
        by_model = {
            name: ModelPrediction(
                confidence=min(1.0, max(0.0, self.draw.gauss(mean, 0.15))),
                stage_tokens=self.tokens,
                remaining_tokens=self.tokens,
            )
            for name, mean in _EDGE.items()
        }
        return Predictions(by_model=by_model, source=self.source)

    def observe(self, _observation: Observation) -> None:
        """Know everything already."""

    def judge(self, _judgement: Judgement) -> None:
        """Know everything already."""

    async def aclose(self) -> None:
        """Hold nothing."""


@dataclass(slots=True, kw_only=True)
class VirtualPool:
    """Engines for `small` and `large`, pickers in front of them, and Poisson arrivals at one or another of these.

    Attributes:
        settings: What the pickers are told, coefficients included.
        engines: The engines' true coefficients, by model.
        replicas: Engines of each model.
        pickers: Each knows what it has sent itself, and what the engines say of themselves.
        scraped: Whether engines say it.
        answers: Seconds and confidence of each answer, in the order of their ends.
        prices: Steered, at each arrival.
    """

    settings: PoolSettings
    engines: Mapping[str, Coefficients]
    rate: float
    seed: int = 1
    replicas: int = 1
    pickers: int = 1
    scraped: bool = True
    answers: list[tuple[float, float]] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)

    def run(self, requests: int) -> Director:
        """Send so many requests through the pickers to the engines; return the first one's director."""
        run = _Run(self)
        run.run(requests)
        return run.directors[0]


class _Run:
    def __init__(self, pool: VirtualPool) -> None:
        self.pool = pool
        self.draw = random.Random(pool.seed)  # noqa: S311 - a simulation
        self.models = {f"{name}-{n}": name for name in pool.engines for n in range(pool.replicas)}
        self.engines = {name: Engine(pool.engines[model]) for name, model in self.models.items()}
        self.clock = VirtualTime(self.engines, self.on_event)
        self.foresight = _Foresight(self.draw)
        self.exchanges: dict[str, Exchange] = {}
        self.left = 0
        self.ids = count()
        self.directors = [self.director() for _ in range(pool.pickers)]

    def director(self) -> Director:
        ledger = Ledger()
        datastore = Datastore(ledger, clock=lambda: self.clock.now)
        datastore.replace([Endpoint(name=name, address=name, model=model) for name, model in self.models.items()])
        return Director(
            pool=ActivePool(settings=self.pool.settings, predictor=self.foresight),
            datastore=datastore,
            table=ProgramTable(new_id=lambda: f"wf-{next(self.ids)}"),
            ledger=ledger,
            metrics=Metrics(),
            clock=lambda: self.clock.now,
            wall=lambda: 1_767_225_600.0 + self.clock.now,
        )

    def run(self, requests: int) -> None:
        self.left = requests
        self.clock.call_at(0.0, self.scrape)
        moment = 0.0
        for ordinal in range(requests):
            moment += self.draw.expovariate(self.pool.rate)
            self.clock.call_at(moment, lambda ordinal=ordinal: self.arrive(ordinal))
        self.clock.run()

    def scrape(self) -> None:
        now = self.clock.now
        for name, engine in self.engines.items():
            usage = engine.used_tokens(now) / self.pool.engines[self.models[name]].kv_tokens
            seen = EngineMetrics(
                running=len(engine.running), waiting=len(engine.waiting), kv_usage=usage, scraped_at=now
            )
            for director in self.directors:
                director.datastore.answered(name, seen if self.pool.scraped else None)
        if self.left:
            self.clock.call_at(now + SCRAPE, self.scrape)

    def arrive(self, ordinal: int) -> None:
        tokens = 1 + int(self.draw.lognormvariate(0.0, 0.7) * MEAN_TOKENS)
        prompt = 1 + int(self.draw.lognormvariate(0.0, 0.5) * MEAN_PROMPT)
        self.foresight.tokens = tokens
        director = self.directors[ordinal % len(self.directors)]
        exchange = _returned(director.choose(_asked(ordinal, prompt)))
        exchange.started(AnswerStarted(200))
        self.exchanges[str(ordinal)] = exchange
        steer = director.steering.steer
        if steer is not None:
            self.pool.prices.append(steer.price)
        request = Request(id=str(ordinal), prompt_tokens=prompt, output_tokens=tokens)
        self.clock.submit(exchange.decision.endpoint.name, request)

    def on_event(self, _engine: str, event: Event) -> None:
        exchange = self.exchanges[event.request.id]
        if event.kind is EventKind.FIRST_TOKEN:
            exchange.progressed(2)
        elif event.kind is EventKind.FINISHED:
            self.left -= 1
            tokens = event.request.output_tokens
            exchange.ended(AnswerEnded(tokens, Usage(event.request.prompt_tokens, tokens, 0)))
            exchange.close()
            self.pool.answers.append((event.at - event.submitted_at, exchange.decision.prediction.confidence))


def configured(settings: PoolSettings, by_model: Mapping[str, Coefficients]) -> PoolSettings:
    """Return the settings with other coefficients."""
    models = {name: replace(settings.models[name], coefficients=by_model[name]) for name in settings.models}
    return replace(settings, models=models)


def _asked(ordinal: int, prompt_tokens: int) -> Choose:
    text = f"task {ordinal} ".ljust(4 * prompt_tokens - 4, "x")
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    return Choose(request=parse(Api.CHAT, body, Limits()), headers={}, pinned=None, subset=None)


def _returned(work: Coroutine[Any, Any, Exchange]) -> Exchange:
    """Return what a coroutine that waits for nothing returns."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")
