"""Steer the price of time so that a mean holds a target: seconds of an answer, or confidence.

An integral controller in the logarithm of the price: a miss of a factor e moves the price by a factor e within `PACE`
windows. What is observed lags by a window and by the answers themselves; steps that small beside the lag settle
without swinging. It needs no model of the pool: a higher price always means faster and less confident answers.
"""

import math
from dataclasses import dataclass, field, replace

from chimera_router.scheduling.policies import DEFAULT_PRICE, Marginal
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.targets import Target
from chimera_router.scheduling.types import Decision, Reason, Verdict

PACE = 2.0
"""Windows in which a miss of 1 moves the log of the price by 1. Means that follow the price in proportion then settle
with a damping of .71, those that follow it twice as steeply, as under congestion, with .5."""

ENOUGH = 8.0
"""Observations before the price moves, and that a window lasts for at least: their mean is good to a third."""

LOWEST, HIGHEST = 1e-6, 1e2
"""Confidence per second: from a point for hours to all of it for 10 ms."""

_PRICED = frozenset((Reason.POLICY, Reason.WORKFLOW))  # where a price has had a say, now or at an earlier stage
_SENSITIVE = 0.2  # share of decisions that a move of the price has to change for it to go at full speed


@dataclass(slots=True)
class _Mean:
    """An exponentially forgetting mean; before there is anything, `value` is what it begins with."""

    value: float = 0.0
    weight: float = 0.0

    def add(self, value: float) -> None:
        self.weight += 1.0
        self.value += (value - self.value) / self.weight


class PriceSteer:
    """The price, and what moves it.

    Args:
        target: What to hold.
        start: Confidence per second to begin with.
        now: Seconds on the caller's clock.
        window: Seconds over which observations are forgotten by a factor e; None takes the target's.
    """

    def __init__(
        self, target: Target, *, start: float = DEFAULT_PRICE, now: float = 0.0, window: float | None = None
    ) -> None:
        self.target = target
        self._window = target.window if window is None else window
        self._log = math.log(min(max(start, LOWEST), HIGHEST))
        self._at = now
        self._observed = _Mean()
        self._cheaper, self._dearer = _Mean(1.0), _Mean(1.0)

    def observe(
        self,
        *,
        latency: float | None = None,
        confidence: float | None = None,
        now: float,
        decision: Decision | None = None,
    ) -> None:
        """Take an observation into account; one that the target does not read changes nothing.

        Args:
            latency: Seconds that an answer took.
            confidence: Of the model that was chosen.
            now: Seconds on the caller's clock.
            decision: Where it came from. It tells whether another price would have changed anything: where none would,
                the price stays, instead of running away from where it will be needed.
        """
        value = self.target.reading(latency=latency, confidence=confidence)
        if value is None or not math.isfinite(value):
            return
        self._advance(now)
        self._observed.add(value)
        if decision is not None and decision.reason is Reason.POLICY:
            self._cheaper.add(any(verdict.verdict is Verdict.TOO_DEAR for verdict in decision.verdicts))
            self._dearer.add(_another_takes_less(decision))

    @property
    def price(self) -> float:
        """Confidence per second."""
        return math.exp(self._log)

    @property
    def mean(self) -> float:
        """What the target reads, of late; NaN before there was anything."""
        return self._observed.value if self._observed.weight else math.nan

    def _advance(self, now: float) -> None:
        """Move on to the moment of the next observation; a pause counts for little."""
        windows = min(max(0.0, now - self._at) / self._window, 1.0 / ENOUGH)
        self._at = max(self._at, now)
        if self._observed.weight >= ENOUGH:
            moved = self._log + self._speed() * windows / PACE
            self._log = min(max(moved, math.log(LOWEST)), math.log(HIGHEST))
        for mean in (self._observed, self._cheaper, self._dearer):
            mean.weight *= math.exp(-windows)

    def _speed(self) -> float:
        miss = min(max(self.target.miss(self._observed.value), -1.0), 1.0)
        sensitive = self._dearer.value if miss > 0.0 else self._cheaper.value
        return miss * min(1.0, sensitive / _SENSITIVE)


@dataclass(slots=True)
class Steering:
    """The steer of whichever target is configured; a new target starts from the default price."""

    steer: PriceSteer | None = field(default=None)

    def steered(self, scheduler: Scheduler, target: Target | None, now: float) -> Scheduler:
        """Return the scheduler at the price of this moment; the same one where no price is steered."""
        if target is None or not isinstance(scheduler.policy, Marginal):
            self.steer = None
            return scheduler
        if self.steer is None or self.steer.target != target:
            self.steer = PriceSteer(target, start=scheduler.policy.price, now=now)
        return replace(scheduler, policy=replace(scheduler.policy, price=self.steer.price))

    def observe(
        self, *, latency: float | None = None, confidence: float | None = None, now: float, decision: Decision
    ) -> None:
        """Take an observation into account, where a price is steered; see `PriceSteer.observe`."""
        if self.steer is not None and decision.reason in _PRICED:
            self.steer.observe(latency=latency, confidence=confidence, now=now, decision=decision)


def _another_takes_less(decision: Decision) -> bool:
    """Return whether another model would have taken fewer seconds of everybody: a higher price may choose it."""
    seconds = {v.model: v.latency + (v.delay or 0.0) for v in decision.verdicts if v.latency is not None}
    return min(seconds.values(), default=math.inf) < seconds.get(decision.model, math.inf)
