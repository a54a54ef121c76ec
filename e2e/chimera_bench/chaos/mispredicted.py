"""Row 17: the bundle is missing, broken, slow, or answers nonsense."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chimera_bench.chaos import broken_bundles
from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Ground, Picker, Site, ground
from chimera_bench.chaos.outage import Outage
from chimera_bench.chaos.probe import BODY, Answer, probe
from chimera_bench.load import http1, processes
from chimera_bench.load.cases import Open
from chimera_bench.load.client import GOOD, clock
from chimera_bench.load.figures import quantile
from chimera_bench.load.prompts import CHAT

_RATE = Open(20.0)  # requests a second: far more than a predictor that takes a second can answer
_HALF = 0.3  # seconds: several times what a prediction may take before running medians answer (50 ms)
_ENDING = 3.0  # seconds for the predictions under way, which nobody waits for any more
_RESTING = 2.0  # seconds without load, in which nothing may go on
_REST = 0.1  # cores that a picker without load may take
_MARK = "character:&"  # of texts that one bundle is slow with; no other text here has one
_APART = 2.5  # seconds between two of them, in which the one before is through

_REFUSED, _FALLBACKS = "chimera_bundles_refused_total", "chimera_prediction_fallbacks_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One way to break a bundle.

    Attributes:
        what: In words, after "a bundle".
        make: Writes it into a folder.
        metric: That has to rise.
        labels: Of its sample.
    """

    what: str
    make: Callable[[Path], None]
    metric: str = _REFUSED
    labels: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Broken(what="that is not there", make=broken_bundles.missing),
    Broken(what="with a flipped byte", make=broken_bundles.flipped),
    Broken(what="with a graph cut short, its digest right", make=broken_bundles.cut),
    Broken(what="with a graph of the wrong shape", make=broken_bundles.misshapen),
    Broken(what="that answers NaN", make=broken_bundles.not_a_number, metric=_FALLBACKS, labels={"reason": "fault"}),
    Broken(
        what="that takes a second for an answer",
        make=broken_bundles.slow("characters"),
        metric=_FALLBACKS,
        labels={"reason": "deadline"},
    ),
)


async def mispredicted(*, ways: Sequence[Broken] = WAYS, seconds: float = 8.0) -> list[Finding]:
    """Run a pool with each of the bundles, under load for so many seconds."""
    return [await _mispredicted(f"17{chr(ord('a') + number)}", way, seconds) for number, way in enumerate(ways)]


async def _mispredicted(row: str, way: Broken, seconds: float) -> Finding:
    with tempfile.TemporaryDirectory(prefix="chimera-chaos-") as name:
        way.make(folder := Path(name) / "bundle")
        async with ground(_site(folder)) as pool:
            picker, at = pool.pickers[0], clock()
            samples = await pool.load().run(_RATE, seconds)
            counted = await picker.metric(way.metric, **way.labels)
            resting, ended = await _resting(picker), picker.ended
    outage, middle = Outage.of(samples, at), quantile([sample.seconds for sample in samples], 0.5)
    return Finding(
        row=row,
        fault=f"a bundle {way.what}, {_RATE.rate:g} requests/s",
        rule=f"all are served, half of them in {_HALF * 1e3:g} ms, {way.metric} rises, the picker lives and rests",
        figure=f"{outage}, p50 {middle * 1e3:.1f} ms, the slowest {outage.slowest:.2f} s; {counted:.0f} counted; "
        f"{resting:.1%} of a core at rest",
        passed=not outage.failed and middle < _HALF and counted > 0 and resting < _REST and not ended,
    )


def _site(bundle: Path) -> Site:
    return Site(config={"bundle": {"path": str(bundle)}})


async def _resting(picker: Picker) -> float:
    """Return the cores that a picker takes without load, once what it had begun has ended."""
    await picker.settle()
    await asyncio.sleep(_ENDING)
    before = processes.processor_seconds(picker.pid)
    await asyncio.sleep(_RESTING)
    return (processes.processor_seconds(picker.pid) - before) / _RESTING


async def slowed(*, times: int = 5) -> list[Finding]:
    """Send requests that a prediction takes a second for: one, and then so many more, beside others."""
    with tempfile.TemporaryDirectory(prefix="chimera-chaos-") as name:
        broken_bundles.slow(_MARK)(folder := Path(name) / "bundle")
        async with ground(_site(folder)) as pool:
            began = clock()
            running = asyncio.create_task(pool.load().run(_RATE, _APART * (times + 2)))
            first = await _marked(pool, 0)
            since = clock()
            later = [await _marked(pool, 1 + number) for number in range(times)]
            samples = await running
    once, then = Outage.of(samples, began), Outage.of([s for s in samples if s.due > since], since)
    slowest = max(answer.seconds for answer in later)
    return [
        Finding(
            row="17g",
            fault=f"a prediction takes a second where it took a millisecond before; {1 + times} such requests",
            rule=f"the first delays others once; the next are answered without it in {_HALF * 1e3:g} ms; nobody fails",
            figure=f"the first took {first.seconds:.2f} s, others up to {once.slowest:.2f} s; the next {slowest:.3f} s "
            f"at most, others {then.slowest:.3f} s; {once}",
            passed=not once.failed and slowest < _HALF and all(each.status == GOOD for each in (first, *later)),
        )
    ]


async def _marked(pool: Ground, number: int) -> Answer:
    """Send a request that the bundle is slow with, of a text that it has not read, and wait until that is over."""
    body = BODY.replace(b"What", b"You & me: what is %d and what" % number)
    answer = await probe(pool.port, http1.request("POST", CHAT, body))
    await asyncio.sleep(_APART)
    return answer
