"""What a prediction costs: requests sent through the picker's own predictor, its thread and its batches included."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.compute import Compute, Device
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Predictor, Query
from chimera_router.prediction.predictor import BundlePredictor
from chimera_router.scheduling.types import Coefficients, Descriptor, Model
from chimera_training.data import read_prompt_outcomes, recorded_folder

# Seconds that a burst may take. Far more than the picker gives: what is asked here is how long it takes, not whether
# it is in time.
PATIENCE = 60.0

# Bursts before the clock is looked at: the first ones fill caches and allocate.
WARM_UP = 3

# Characters of English text a token, for the prompt tokens that the length trees are told.
CHARACTERS_PER_TOKEN = 4

# Distinct recorded prompts that are asked in turn.
PROMPTS = 512

# No decision is made here, so their step times are never looked at.
_ENGINE = Coefficients(base_step=0.007, per_sequence=3e-5, prefill_per_token=2e-5, max_num_seqs=256, kv_tokens=500_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to time.

    Attributes:
        bundle: Read and checked.
        models: Models of the pool.
        batch: Requests that arrive at once.
        threads: That a transformer is computed on; all else takes one.
    """

    bundle: Bundle
    models: int
    batch: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was timed, in microseconds a request: the time of a burst over its size.

    Attributes:
        median: Over the bursts.
        p99: Over the bursts.
        bursts: Timed.
        fallbacks: Requests that running medians answered; their time says nothing about the bundle.
    """

    median: float
    p99: float
    bursts: int
    fallbacks: int


def recorded_queries() -> tuple[Query, ...]:
    """Return requests with recorded prompts, evenly taken from all of them.

    Raises:
        DataError: The package's data breaks a rule.
    """
    texts = list(dict.fromkeys(row.text for row in read_prompt_outcomes(recorded_folder())))
    chosen = texts[:: max(1, len(texts) // PROMPTS)]
    return tuple(Query(text=text, prompt_tokens=1 + len(text) // CHARACTERS_PER_TOKEN) for text in chosen)


async def measure(
    cases: Sequence[Case], queries: Sequence[Query], *, bursts: int, on_burst: Callable[[], None] = lambda: None
) -> list[Cost]:
    """Time every case, a burst of each in turn, so that what else the machine does falls on all alike.

    Args:
        cases: What to time.
        queries: Asked one after the other, by every case in the same order.
        bursts: Of each case, two or more.
        on_burst: Told after each.

    Raises:
        BundleError: A graph cannot be loaded.
    """
    async with AsyncExitStack() as stack:
        timed = [_Timed(case, queries) for case in cases]
        for each in timed:
            stack.push_async_callback(each.predictor.aclose)
        for number in range(WARM_UP + bursts):
            for each in timed:
                await each.burst(counts=number >= WARM_UP)
                on_burst()
        return [each.cost() for each in timed]


class _Timed:
    """One case under way."""

    def __init__(self, case: Case, queries: Sequence[Query]) -> None:
        self._fallbacks = 0
        self._case = case
        self._queries: Iterator[Query] = itertools.cycle(queries)
        self._seconds: list[float] = []
        self.predictor: Predictor = BundlePredictor(
            _pool(case),
            case.bundle,
            corrections=Corrections(),
            deadline=PATIENCE,
            compute=Compute(device=Device.CPU, threads=case.threads),
            on_fallback=self._fell_back,
        )

    async def burst(self, *, counts: bool) -> None:
        asked = list(itertools.islice(self._queries, self._case.batch))
        started = time.perf_counter()
        await asyncio.gather(*map(self.predictor.predict, asked))
        if counts:
            self._seconds.append(time.perf_counter() - started)

    def cost(self) -> Cost:
        each = [1e6 * seconds / self._case.batch for seconds in self._seconds]
        return Cost(
            median=statistics.median(each),
            p99=statistics.quantiles(each, n=100, method="inclusive")[98],
            bursts=len(each),
            fallbacks=self._fallbacks,
        )

    def _fell_back(self, _: str) -> None:
        self._fallbacks += 1


def _pool(case: Case) -> list[Model]:
    """Return so many models, those of the bundle in turn: every one costs the same."""
    names = itertools.cycle(model.name for model in case.bundle.manifest.models)
    return [
        Model(name=f"model-{number}", coefficients=_ENGINE, descriptor=Descriptor(trained_as=name))
        for number, name in zip(range(case.models), names, strict=False)
    ]
