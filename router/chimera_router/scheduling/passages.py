"""Measure what requests saw of their engines: time, tokens, the batch beside them, the prompts that came meanwhile.

No measure contains time in the engine's queue. A request that found room is measured from route to end; one that may
have waited from its second event to its end, if it streams; else by what all requests of its endpoint made meanwhile.
How an answer is cut into chunks changes none: the tokens of the first chunk do not count with the time after it.
"""

from dataclasses import dataclass

from chimera_router.scheduling.fitting import Passage
from chimera_router.scheduling.types import EngineMetrics
from chimera_router.values import value

SHORTEST = 8
"""Output tokens below which a request tells more of the network and of half steps than of the engine."""

_FULL = 0.9  # share of the KV cache; an engine with less room than that may let a request wait for its blocks
_STARTED = 2  # events; the first one may only name the assistant's role, which some engines send before they begin


@value
class Reading:
    """A meter's counts at a moment; see `Meter`."""

    at: float
    batch_seconds: float
    own_seconds: float
    made: float
    prefill: float
    queued: int

    def passage(self, end: "Reading", tokens: float) -> Passage | None:
        """Return what happened from here to a later reading; None where it is too little to tell."""
        seconds = end.at - self.at
        if tokens < SHORTEST or seconds <= 0.0:
            return None
        batch = (end.batch_seconds - self.batch_seconds) / seconds
        return Passage(seconds=seconds, tokens=tokens, batch=max(1.0, batch), prefill=end.prefill - self.prefill)

    def steps(self, end: "Reading") -> float:
        """Return how many tokens each of this picker's running requests has made until a later reading, on average."""
        running = end.own_seconds - self.own_seconds
        return (end.made - self.made) * (end.at - self.at) / running if running > 0.0 else 0.0


@dataclass(slots=True)
class Meter:
    """Adds up what one endpoint does.

    Attributes:
        slots: Requests that it runs at once.
        at: Seconds on the caller's clock up to which has been added up.
        own: This picker's requests there.
        foreign: Those of others, as of the last scrape.
        running: Most that run: its slots, or what the last scrape saw running while others waited.
        batch_seconds: Requests that ran, times seconds.
        own_seconds: This picker's part of it.
        made: Output tokens of this picker's requests that have ended.
        prefill: Prompt tokens of this picker's requests that were computed.
        queued: Scrapes that found somebody waiting.
        scraped_at: When the last scrape was.
    """

    slots: int
    at: float
    own: int = 0
    foreign: int = 0
    running: int = 0
    batch_seconds: float = 0.0
    own_seconds: float = 0.0
    made: float = 0.0
    prefill: float = 0.0
    queued: int = 0
    scraped_at: float = -1.0

    def read(self, metrics: EngineMetrics | None, now: float) -> Reading:
        """Return the counts at this moment, before what happens at it. Must come before every change of `own`."""
        self._pass(now)
        if metrics is None:
            self.foreign, self.running = 0, self.slots
        elif metrics.scraped_at > self.scraped_at:  # `own` is still what it was at the scrape
            self.scraped_at = metrics.scraped_at
            self.foreign = max(0, metrics.running + metrics.waiting - self.own)
            self.running = max(1, metrics.running) if metrics.waiting else self.slots
            self.queued += metrics.waiting > 0
        return Reading(now, self.batch_seconds, self.own_seconds, self.made, self.prefill, self.queued)

    def has_room(self, metrics: EngineMetrics | None) -> bool:
        """Return whether a request that comes now is admitted at once."""
        if metrics is not None and (metrics.waiting > 0 or metrics.kv_usage >= _FULL):
            return False
        return self.own + self.foreign < self.slots

    def _pass(self, now: float) -> None:
        total = self.own + self.foreign
        if total:
            ran = min(total, self.running) * (now - self.at)
            self.batch_seconds += ran
            self.own_seconds += ran * self.own / total
        self.at = now


@dataclass(slots=True)
class Passing:
    """One request under way.

    Attributes:
        sequences: Answers that it asked for, which run side by side.
        uncached: Its prompt tokens that the engine has to compute; 0 once they are counted.
        begun: Reading when it was sent.
        admitted: Whether it found room then.
        started: Reading when its tokens had begun to come, and how many had.
    """

    meter: Meter
    sequences: int
    uncached: float
    begun: Reading
    admitted: bool
    started: tuple[Reading, int] | None = None

    def progressed(self, tokens: int, metrics: EngineMetrics | None, now: float) -> None:
        """So many tokens have come."""
        if self.started is None and tokens >= _STARTED:
            self.compute()
            self.started = self.meter.read(metrics, now), tokens

    def ended(self, tokens: int, metrics: EngineMetrics | None, now: float) -> Passage | None:
        """Return what it saw, all its tokens having come; None where that says nothing of the engine."""
        # An end is no random moment: a request that ends with the window would count with all that it made before.
        self.meter.made += tokens / 2
        end = self.meter.read(metrics, now)
        self.meter.made += tokens / 2
        if self.sequences > 1 or tokens < SHORTEST:
            return None
        if self.admitted and end.queued == self.begun.queued:
            return self.begun.passage(end, tokens)
        if self.started is not None and self.started[1] <= tokens / 2:
            return self.started[0].passage(end, tokens - self.started[1])
        return self.begun.passage(end, self.begun.steps(end))

    def closed(self, metrics: EngineMetrics | None, now: float) -> None:
        """It has left the engine, however it ended."""
        self.meter.read(metrics, now)
        self.compute()
        self.meter.own -= self.sequences

    def compute(self) -> None:
        """Its prompt is being computed, or has been."""
        self.meter.prefill += self.uncached
        self.uncached = 0.0


class Meters:
    """The meters of a pool's endpoints, by address."""

    def __init__(self) -> None:
        self._by_address: dict[str, Meter] = {}

    def open(  # noqa: PLR0913 - what there is to know of a request on an endpoint
        self,
        address: str,
        *,
        slots: int,
        uncached: float,
        metrics: EngineMetrics | None,
        now: float,
        sequences: int = 1,
    ) -> Passing:
        """Add a request that is about to be sent; `Passing.closed` must be called once.

        Args:
            address: Of the endpoint.
            slots: Requests that it runs at once.
            uncached: Prompt tokens that it has to compute.
            metrics: What it last said of itself.
            now: Seconds on the clock that stamped them.
            sequences: Answers that it asks for.
        """
        meter = self._by_address.get(address)
        if meter is None:
            meter = self._by_address[address] = Meter(slots, now, running=slots)
        meter.slots = slots
        begun = meter.read(metrics, now)
        passing = Passing(meter, sequences, uncached, begun, admitted=meter.has_room(metrics))
        if passing.admitted:
            passing.compute()
        meter.own += sequences
        return passing
