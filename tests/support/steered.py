"""A pool that answers as a curve says, and a price steered over it in virtual time."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from chimera_router.scheduling.steering import PriceSteer


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Falls from `most` at no price to `least` at any, halfway at `middle`; `steepness` 1 takes two decades for it."""

    least: float
    most: float
    middle: float = 0.01
    steepness: float = 1.0

    def __call__(self, price: float) -> float:
        return self.least + (self.most - self.least) / (1.0 + (price / self.middle) ** self.steepness)

    def price(self, value: float) -> float:
        """Return the price at which it takes a value."""
        return self.middle * ((self.most - value) / (value - self.least)) ** (1.0 / self.steepness)


@dataclass(slots=True, kw_only=True)
class Run:
    """Answers whose seconds, or confidence, scatter about a curve.

    Attributes:
        rate: Answers a second.
        logs: Of the price over the right one, as it went.
    """

    steer: PriceSteer
    curve: Curve
    rate: float = 2.0
    seed: int = 0
    now: float = 0.0

    def latencies(self, answers: int, *, right: float) -> list[float]:
        """Steer by answers that are observed once they have come; return the log of price over the right one."""
        draw = random.Random(self.seed)  # noqa: S311 - a simulation
        under_way: list[tuple[float, int, float]] = []
        ordinals = count()

        def arrive() -> None:
            seconds = self.curve(self.steer.price) * draw.gammavariate(1.5, 1.0 / 1.5)
            heapq.heappush(under_way, (self.now + seconds, next(ordinals), seconds))

        return list(self._moves(answers, draw, arrive, under_way, right))

    def confidences(self, answers: int, *, right: float) -> list[float]:
        """Steer by the confidence of decisions, known at once; return the log of price over the right one."""
        draw = random.Random(self.seed)  # noqa: S311 - a simulation

        def arrive() -> None:
            confidence = min(1.0, max(0.0, draw.gauss(self.curve(self.steer.price), 0.15)))
            self.steer.observe(confidence=confidence, now=self.now)

        return list(self._moves(answers, draw, arrive, [], right))

    def _moves(
        self,
        answers: int,
        draw: random.Random,
        arrive: Callable[[], None],
        under_way: list[tuple[float, int, float]],
        right: float,
    ) -> Iterator[float]:
        for _ in range(answers):
            self.now += draw.expovariate(self.rate)
            while under_way and under_way[0][0] <= self.now:
                ended, _, seconds = heapq.heappop(under_way)
                self.steer.observe(latency=seconds, now=ended)
            arrive()
            yield math.log(self.steer.price / right)
