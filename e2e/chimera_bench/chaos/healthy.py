"""How clients fare that do nothing wrong, beside those that do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chimera_bench.chaos.ground import Ground
from chimera_bench.load.cases import Open
from chimera_bench.load.client import Sample, clock
from chimera_bench.load.figures import quantile

TRAFFIC = Open(50.0)
CHANGE = 0.2  # share by which their p99 may grow

_TURN = 1.5  # seconds of peace, and then as many of trouble: what else the machine does is in both alike
_ECHO = 0.3  # seconds at the beginning of each turn that may still be the last one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Healthy traffic alone and beside others, in turns.

    Attributes:
        alone: Seconds of each answer while the others were quiet.
        beside: The same while they were not.
        failed: Requests that nobody answered.
    """

    alone: Sequence[float]
    beside: Sequence[float]
    failed: int

    @property
    def growth(self) -> float:
        """Of p99, as a share."""
        return quantile(self.beside, 0.99) / max(1e-9, quantile(self.alone, 0.99)) - 1.0

    @property
    def unharmed(self) -> bool:
        """Whether nothing failed, and p99 grew by no more than it may."""
        return not self.failed and self.growth < CHANGE

    def __str__(self) -> str:
        p50, p99 = (
            f"{quantile(self.alone, share) * 1e3:.1f} → {quantile(self.beside, share) * 1e3:.1f} ms"
            for share in (0.5, 0.99)
        )
        return f"healthy p50 {p50}, p99 {p99} ({self.growth:+.0%}), {self.failed} of them failed"


async def compare(pool: Ground, trouble: asyncio.Event, seconds: float) -> Compared:
    """Send healthy traffic for so many seconds, in which `trouble` is set and cleared in turns."""
    running = asyncio.create_task(pool.load().run(TRAFFIC, seconds))
    ends: list[float] = []
    while not running.done():
        (trouble.set if len(ends) % 2 else trouble.clear)()
        await asyncio.wait([running], timeout=_TURN)
        ends.append(clock())
    trouble.set()
    return _compared(running.result(), ends)


def _compared(samples: Sequence[Sample], ends: Sequence[float]) -> Compared:
    """Part the samples by the turns in which they were sent, of which the first is one of peace."""
    turns: tuple[list[float], list[float]] = ([], [])
    for sample in samples:
        turn = sum(end <= sample.due for end in ends)
        begun = ends[turn - 1] if turn else 0.0
        if sample.good and sample.due - begun >= _ECHO:
            turns[turn % 2].append(sample.seconds)
    return Compared(alone=turns[0], beside=turns[1], failed=sum(not sample.good for sample in samples))
