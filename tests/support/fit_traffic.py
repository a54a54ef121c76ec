"""Poisson traffic on one simulated engine, watched as the picker watches it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request
from chimera_router.scheduling.fitting import Passage, StepTimeFit
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.types import Coefficients, EngineMetrics

SCRAPE = 0.5  # seconds, as the picker's
MEAN_TOKENS, MEAN_PROMPT = 200, 700  # of agents' calls


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Requests of one engine.

    Attributes:
        true: The engine's own coefficients.
        rate: Requests a second.
        streams: Whether answers come token by token.
        foreign: Share of the requests that somebody else sends.
        noise: Standard deviation of the logarithm of what each time is multiplied by.
        seed: Of everything drawn.
    """

    true: Coefficients
    rate: float
    streams: bool = True
    foreign: float = 0.0
    noise: float = 0.0
    seed: int = 1
    passages: list[Passage] = field(default_factory=list)
    waited: int = 0

    def run(self, fit: StepTimeFit, *, requests: int) -> None:
        """Send so many requests, and let the fit learn from them."""
        _Run(self, fit).run(requests)

    def batches(self) -> tuple[float, float, float]:
        """Return the batches that passages saw, at quantiles .05, .5 and .95."""
        batches = sorted(passage.batch for passage in self.passages)
        low, middle, high = (batches[int(len(batches) * share)] for share in (0.05, 0.5, 0.95))
        return low, middle, high


class _Run:
    def __init__(self, traffic: Traffic, fit: StepTimeFit) -> None:
        self.traffic, self.fit = traffic, fit
        self.random = random.Random(traffic.seed)  # noqa: S311 - a simulation
        self.engine = Engine(traffic.true)
        self.clock = VirtualTime({"engine": self.engine}, self.on_event)
        self.meters = Meters()
        self.passing: dict[str, Passing] = {}
        self.metrics: EngineMetrics | None = None
        self.left = 0

    def run(self, requests: int) -> None:
        self.left = requests
        for request, at in zip(self.requests(), self.arrivals(requests), strict=False):
            self.clock.call_at(at, self.arrival(request))
        self.clock.call_at(0.0, self.scrape)
        self.clock.run()

    def arrivals(self, requests: int) -> Iterator[float]:
        now = 0.0
        for _ in range(requests):
            now += self.random.expovariate(self.traffic.rate)
            yield now

    def requests(self) -> Iterator[Request]:
        ordinal = 0
        while True:
            ordinal += 1
            yield Request(
                id=str(ordinal),
                prompt_tokens=1 + int(self.random.lognormvariate(0.0, 0.5) * MEAN_PROMPT),
                output_tokens=1 + int(self.random.lognormvariate(0.0, 0.7) * MEAN_TOKENS),
            )

    def arrival(self, request: Request) -> Callable[[], None]:
        own = self.random.random() >= self.traffic.foreign

        def arrive() -> None:
            if own:
                slots, uncached = self.traffic.true.max_num_seqs, float(request.prompt_tokens)
                self.passing[request.id] = self.meters.open(
                    "engine", slots=slots, uncached=uncached, metrics=self.metrics, now=self.clock.now
                )
            self.clock.submit("engine", request)

        return arrive

    def scrape(self) -> None:
        now, engine = self.clock.now, self.engine
        usage = engine.used_tokens(now) / self.traffic.true.kv_tokens
        self.metrics = EngineMetrics(
            running=len(engine.running), waiting=len(engine.waiting), kv_usage=usage, scraped_at=now
        )
        if self.left:
            self.clock.call_at(now + SCRAPE, self.scrape)

    def on_event(self, _engine: str, event: Event) -> None:
        self.left -= event.kind is EventKind.FINISHED
        passing = self.passing.get(event.request.id)
        if event.kind is EventKind.ADMITTED:
            self.traffic.waited += event.at - event.submitted_at > 0.1
        elif passing and event.kind is EventKind.FIRST_TOKEN and self.traffic.streams:
            passing.progressed(2, self.metrics, event.at)
        elif passing and event.kind is EventKind.FINISHED:
            self.finished(passing, event)

    def finished(self, passing: Passing, event: Event) -> None:
        passage = passing.ended(event.request.output_tokens, self.metrics, event.at)
        passing.closed(self.metrics, event.at)
        if passage is not None:
            self.traffic.passages.append(passage)
            self.fit.observe(self.noisy(passage))

    def noisy(self, passage: Passage) -> Passage:
        factor = self.random.lognormvariate(0.0, self.traffic.noise)
        return Passage(
            seconds=passage.seconds * factor, tokens=passage.tokens, batch=passage.batch, prefill=passage.prefill
        )
