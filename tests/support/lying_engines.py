"""Engines in virtual time whose metrics pages need not be true, asked and sent requests as the picker does it."""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count

from metrics_pages import vllm_page
from pools import prediction

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request
from chimera_router.datalayer.datastore import Datastore
from chimera_router.engines.belief import Witness
from chimera_router.engines.pacing import DEFAULT_PACE, Timetable, activity
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Outcome
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Coefficients,
    Decision,
    Endpoint,
    Model,
    Predictions,
    PredictionSource,
    SchedulingRequest,
)

ENGINE = Coefficients(base_step=0.01, per_sequence=2e-4, prefill_per_token=2e-5, max_num_seqs=32, kv_tokens=200_000)
MODEL = Model(name="m", coefficients=ENGINE, priority=True)
PROMPT, MEAN_TOKENS = 500, 150

CAPACITY = ENGINE.max_num_seqs / (
    MEAN_TOKENS * ENGINE.step(ENGINE.max_num_seqs) + 0.01
)  # requests a second of one engine

Habit = Callable[[Engine, float], bytes | None]
"""Returns the page that an engine serves at a moment; None where none comes in time."""


def honest(engine: Engine, now: float) -> bytes:
    """Return the truth."""
    running, waiting = len(engine.running), len(engine.waiting)
    return vllm_page(running, waiting, engine.kv_usage(now), engine.generated_tokens(now))


def always(page: bytes | None) -> Habit:
    """Return a habit of saying the same whatever happens."""
    return lambda _engine, _now: page


def frozen_from(moment: float) -> Habit:
    """Return a habit of telling the truth until a moment, and then the same for ever."""
    last: list[bytes] = []

    def page(engine: Engine, now: float) -> bytes:
        if now < moment or not last:
            last[:] = [honest(engine, now)]
        return last[0]

    return page


class LyingPool:
    """One model on several engines, and Poisson arrivals of requests whose lengths the picker foresees.

    Args:
        habits: What each engine's page says, by its name.
        load: Share of the engines' capacity that is asked for through the picker.
        foreign: Share of it that others ask for, of each engine as much.
    """

    def __init__(self, habits: Mapping[str, Habit], *, load: float, foreign: float = 0.0, seed: int = 1) -> None:
        self._habits = habits
        self._draw = random.Random(seed)  # noqa: S311 - a simulation
        self._engines = {name: Engine(ENGINE) for name in habits}
        self._time = VirtualTime(self._engines, self._on_event)
        self._ledger = Ledger()
        self._datastore = Datastore(self._ledger)
        self._datastore.replace([Endpoint(name=name, address=name, model="m") for name in habits])
        self._witnesses = {name: Witness(VLLM) for name in habits}
        self._timetable = Timetable(DEFAULT_PACE, self._draw.random)
        self._datastore.outdated = self._hurry
        self._tickets: dict[str, Ticket] = {}
        self._left, self._ids = 0, count()
        self._rate, self._foreign = load * CAPACITY * len(habits), foreign * CAPACITY
        self.sent: list[tuple[float, str]] = []
        self.heard: Counter[tuple[str, Outcome]] = Counter()

    def run(self, requests: int) -> "LyingPool":
        """Send so many requests; return once all are answered."""
        self._left = requests
        self._timetable.add(self._habits, 0.0)
        self._scrape()
        self._time.call_at(self._draw.expovariate(self._rate), lambda: self._arrive(requests))
        for name in self._habits if self._foreign else ():
            self._disturb(name)
        self._time.run()
        return self

    def shares(self, *, since: float = 0.0, until: float = math.inf) -> dict[str, float]:
        """Return the share of the requests that each engine got in a stretch of time."""
        sent = Counter(name for at, name in self.sent if since <= at < until)
        return {name: sent[name] / max(1, sent.total()) for name in self._habits}

    def _scrape(self) -> None:
        now = self._time.now
        for name in self._timetable.take(now):
            page = self._habits[name](self._engines[name], now)
            outcome, metrics = (Outcome.SLOW, None) if page is None else self._witnesses[name].hear(page, now)
            self.heard[name, outcome] += 1
            self._datastore.answered(name, metrics)
            self._timetable.settle(name, activity(outcome, metrics, own=self._datastore.own(name)), now)
        due = self._timetable.due()
        if self._left and due is not None:
            self._time.call_at(due, self._scrape)

    def _hurry(self, name: str) -> None:
        if self._timetable.hurry(name, self._time.now):
            self._time.call_at(self._timetable.due() or 0.0, self._scrape)

    def _disturb(self, name: str) -> None:
        """Let somebody else send a request, and go on with it."""
        self._time.submit(name, self._request())
        if self._left:
            self._time.call_at(self._time.now + self._draw.expovariate(self._foreign), lambda: self._disturb(name))

    def _request(self) -> Request:
        tokens = 1 + int(self._draw.expovariate(1 / MEAN_TOKENS))
        return Request(id=str(next(self._ids)), prompt_tokens=PROMPT, output_tokens=tokens)

    def _arrive(self, left: int) -> None:
        now, request = self._time.now, self._request()
        decision = self._decided(request.output_tokens, now)
        name = decision.endpoint.address
        self._tickets[request.id] = self._ledger.open(decision, prompt_tokens=PROMPT)
        self._datastore.sent(name)
        self.sent.append((now, name))
        self._time.submit(name, request)
        if left > 1:
            self._time.call_at(now + self._draw.expovariate(self._rate), lambda: self._arrive(left - 1))

    def _decided(self, tokens: int, now: float) -> Decision:
        request = SchedulingRequest(workflow=len(self.sent), prompt_tokens=PROMPT, arrival=1.8e9 + now)
        foreseen = Predictions(by_model={"m": prediction(tokens=tokens)}, source=PredictionSource.BUNDLE)
        decision = Scheduler().schedule(request, foreseen, self._datastore.snapshot({"m": MODEL}), now)
        assert isinstance(decision, Decision)
        return decision

    def _on_event(self, _engine: str, event: Event) -> None:
        ticket = self._tickets.get(event.request.id)
        if ticket is None:
            return
        if event.kind is EventKind.FIRST_TOKEN:
            self._ledger.progress(ticket, generated=1)
        elif event.kind is EventKind.FINISHED:
            self._left -= 1
            self._ledger.close(ticket)
