"""An operator's life with very many pools: it makes them, starts again, rests, and follows changes."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chimera_bench.operator_scale.ground import Ground, until
from chimera_bench.operator_scale.subject import Subject, operator

SETTLING = 5.0  # seconds until what the end of a start set off is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What an operator did until every pool was ready and none waited to be looked at.

    Attributes:
        seconds: That it took.
        objects: That it wrote.
        peak_mib: Memory at most.
    """

    seconds: float
    objects: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What an operator took while nothing happened.

    Attributes:
        seconds: For how long it was watched.
        calls: To the API server, a second.
        cores: Processor seconds a second.
        resident_mib: Memory.
    """

    seconds: float
    calls: float
    cores: float
    resident_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    Attributes:
        pools: How many there were.
        first: The operator that made everything; the time of the controllers and the pods is in it.
        second: One that found everything in order.
        rest: Of the second.
        changes: Seconds from an edit of a pool until its Deployment had it, one edit after another.
        most_mib: Memory of the second at most, in its whole life.
    """

    pools: int
    first: Start
    second: Start
    rest: Rest
    changes: Sequence[float]
    most_mib: float

    def change(self, percent: int) -> float:
        """Return a percentile of the seconds of a change."""
        return statistics.quantiles(self.changes, n=100)[percent - 1]


async def measure(ground: Ground, kubeconfig: Path, *, idle_seconds: float, changes: int) -> Figures:
    """Return what an operator of these pools takes.

    Args:
        ground: Pools that are there.
        kubeconfig: Of the API server.
        idle_seconds: Length of the rest.
        changes: How many pools are changed, one after another; at least two.

    Raises:
        LocalError: An operator could not be started.
    """
    async with operator(kubeconfig) as subject:
        began = time.perf_counter()
        await ground.run_pods()
        first = await _started(subject, ground, began)
    async with operator(kubeconfig) as subject:
        second = await _started(subject, ground, time.perf_counter())
        rest = await _rested(subject, idle_seconds)
        chosen = ground.names[:: max(1, len(ground.names) // changes)]
        times = [await ground.reached(name, 2) for name in chosen]
        most = subject.peak_mib()
    return Figures(pools=len(ground.names), first=first, second=second, rest=rest, changes=times, most_mib=most)


async def _started(subject: Subject, ground: Ground, began: float) -> Start:
    await until(lambda: subject.at_rest(len(ground.names)))
    return Start(
        seconds=time.perf_counter() - began,
        objects=await subject.metric("chimera_operator_writes_total"),
        peak_mib=subject.peak_mib(),
    )


async def _rested(subject: Subject, seconds: float) -> Rest:
    await asyncio.sleep(SETTLING)
    calls, spent, began = await subject.calls(), subject.processor_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    return Rest(
        seconds=seconds,
        calls=(await subject.calls() - calls) / passed,
        cores=(subject.processor_seconds() - spent) / passed,
        resident_mib=subject.resident_mib(),
    )
