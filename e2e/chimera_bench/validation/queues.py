"""One slot makes an engine a queue with one server, whose mean wait is known in closed form.

The closed forms are those of Pollaczek and Khinchine for any service times (M/G/1), of which exponential ones (M/M/1)
are a case, and Cobham's (1954) for classes of priority without preemption. Kleinrock, Queueing Systems (1976), has all.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import log
from statistics import fmean

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request, SchedulingPolicy
from chimera_bench.validation.check import Check
from chimera_router.scheduling.types import Coefficients

# Requests of each run, of which a case has four: an error of 1 to 2 % is left to the mean of long queues.
REQUESTS = 40_000

TOLERANCE = 0.03

# A mean service takes one second. Its steps are so many that their number being whole is no matter.
MEAN_TOKENS = 1000
PROMPT_TOKENS = 100

# Of uneven outputs one in five is ten times as long as the others.
LONG_SHARE, LONG = 0.2, 10.0
_UNEVEN_MEAN = 1.0 - LONG_SHARE + LONG_SHARE * LONG


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of output tokens, in units of its mean.

    Attributes:
        quantile: What a share of outputs do not pass.
        second_moment: Mean of the squares.
    """

    quantile: Callable[[float], float]
    second_moment: float


def _exponential(share: float) -> float:
    return -log(1.0 - share)


def _uneven(share: float) -> float:
    return (1.0 if share < 1.0 - LONG_SHARE else LONG) / _UNEVEN_MEAN


EXPONENTIAL = Lengths(_exponential, 2.0)
EQUAL = Lengths(lambda _: 1.0, 1.0)
UNEVEN = Lengths(_uneven, (1.0 - LONG_SHARE + LONG_SHARE * LONG**2) / _UNEVEN_MEAN**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A queue.

    Attributes:
        name: In queueing theory.
        utilisation: Share of time that the server is busy.
        lengths: Of the outputs.
        prefill: Share of a mean service that the prompt takes; all prompts are alike.
        classes: Of priority, each with an equal share of the requests.
    """

    name: str
    utilisation: float
    lengths: Lengths = EXPONENTIAL
    prefill: float = 0.0
    classes: int = 1

    @property
    def engine(self) -> Coefficients:
        """One slot, whose mean service takes one second."""
        return Coefficients(
            base_step=(1.0 - self.prefill) / MEAN_TOKENS,
            per_sequence=0.0,
            prefill_per_token=self.prefill / PROMPT_TOKENS,
            max_num_seqs=1,
            kv_tokens=1000 * MEAN_TOKENS,
        )

    @property
    def mean_waits(self) -> list[float]:
        """Seconds in the queue by closed form, the first class first."""
        decode = 1.0 - self.prefill
        squares = self.prefill**2 + 2.0 * self.prefill * decode + decode**2 * self.lengths.second_moment
        residual, each = self.utilisation * squares / 2.0, self.utilisation / self.classes
        return [residual / (1.0 - number * each) / (1.0 - (number + 1) * each) for number in range(self.classes)]


CASES = (
    Case(name="M/M/1", utilisation=0.5),
    Case(name="M/M/1", utilisation=0.7),
    Case(name="M/D/1", utilisation=0.7, lengths=EQUAL),
    Case(name="M/G/1", utilisation=0.5, lengths=UNEVEN, prefill=0.2),
    Case(name="two priorities", utilisation=0.7, classes=2),
    Case(name="three priorities", utilisation=0.7, prefill=0.2, classes=3),
)


@dataclass(frozen=True, slots=True)
class Job:
    """A request: when it comes, what it generates, and its priority, lower first."""

    at: float
    tokens: int
    priority: int


def queue_checks(cases: Sequence[Case] = CASES, *, requests: int = REQUESTS, seed: int = 0) -> Iterator[Check]:
    """Yield each case's mean waits beside their closed forms, of each class of priority.

    Args:
        cases: To simulate.
        requests: Of each of a case's four runs.
        seed: Of the draws.
    """
    for case in cases:
        waits = [queue_waits(case.engine, jobs) for jobs in draw_runs(case, requests, seed)]
        for priority, known in enumerate(case.mean_waits):
            of_class = f", class {priority + 1}" if case.classes > 1 else ""
            yield Check(
                case=f"{case.name}, utilisation {case.utilisation}{of_class}",
                figure="mean wait, s",
                known=known,
                simulated=fmean(wait for run in waits for wait in run[priority]),
                tolerance=TOLERANCE,
            )


def draw_runs(case: Case, requests: int, seed: int) -> list[list[Job]]:
    """Draw four workloads whose errors offset each other.

    Numbers between 0 and 1 that make a queue long make it short where gaps take those of the services, and where both
    take their complements (Page, On Monte Carlo methods in congestion problems, 1965).
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation
    first, second = ([draw.random() for _ in range(requests)] for _ in range(2))
    priorities = [draw.randrange(case.classes) for _ in range(requests)]
    pairs = ((first, second), (second, first))
    complements = tuple(([1.0 - u for u in gaps], [1.0 - u for u in outputs]) for gaps, outputs in pairs)
    return [_jobs(case, gaps, outputs, priorities) for gaps, outputs in (*pairs, *complements)]


def queue_waits(engine: Coefficients, jobs: Sequence[Job]) -> dict[int, list[float]]:
    """Return the seconds that each request stood in the queue of a simulated engine, by priority."""
    waits: defaultdict[int, list[float]] = defaultdict(list)

    def on_event(_: str, event: Event) -> None:
        if event.kind is EventKind.ADMITTED:
            waits[event.request.priority].append(event.at - event.submitted_at)

    clock = VirtualTime({"engine": Engine(engine, scheduling=SchedulingPolicy.PRIORITY)}, on_event)
    for number, job in enumerate(jobs):
        request = Request(id=f"{number}", prompt_tokens=PROMPT_TOKENS, output_tokens=job.tokens, priority=job.priority)
        clock.call_at(job.at, lambda request=request: clock.submit("engine", request))  # type: ignore[misc]
    clock.run()
    return waits


def _jobs(case: Case, gaps: Sequence[float], outputs: Sequence[float], priorities: Sequence[int]) -> list[Job]:
    times = accumulate(_exponential(share) / case.utilisation for share in gaps)
    tokens = (max(1, round(MEAN_TOKENS * case.lengths.quantile(share))) for share in outputs)
    return [Job(*each) for each in zip(times, tokens, priorities, strict=True)]
