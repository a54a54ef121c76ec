"""Policies held against each other over seeds: what each makes of the same arrivals, paired seed by seed.

Pure. Figures of single settings have Student's t intervals over the seeds, ratios in logarithms. What is read off
frontiers has a bootstrap over the seeds (Efron 1979), all policies drawn alike; its standard error is widened to a t
interval with n / (n − 1), for the percentiles of a bootstrap over ten seeds are too narrow. One seed gives no interval.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from chimera_bench.frontier import Frontier, Point, common_latencies, common_scores, frontier, latency_at, score_at
from chimera_bench.records import Record
from chimera_bench.report import Estimate

DRAWS = 200  # of the bootstrap: a standard error is then known to 5 %
LEVELS = 9  # scores, or latencies, at which two frontiers are compared
CONFIDENCE = 0.975  # the upper end of a 95 % interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A policy with its parameters.

    Attributes:
        policy: Its name.
        params: What was set of it.
        records: One for each seed, in order of the seeds.
    """

    policy: str
    params: Mapping[str, float]
    records: tuple[Record, ...]

    def over_seeds(self, figure: Callable[[Record], float]) -> Estimate:
        """Return the mean of a figure and its interval."""
        return student([figure(record) for record in self.records])

    def values(self, figure: Callable[[Record], float]) -> Floats:
        """Return a figure at each seed."""
        return np.array([figure(record) for record in self.records])


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """All that was played of one pool at one load: the same workloads under every setting."""

    workload: str
    pool: str
    load: float
    settings: tuple[Setting, ...]

    @property
    def policies(self) -> tuple[str, ...]:
        """What was played, in order."""
        return tuple(dict.fromkeys(setting.policy for setting in self.settings))

    def of(self, policy: str) -> tuple[Setting, ...]:
        """Return the settings of a policy."""
        return tuple(setting for setting in self.settings if setting.policy == policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """How far one frontier lies from another.

    Attributes:
        latency: Latency over the other's at equal score, the geometric mean over the scores that both give; None where
            the other's lowest score is not reached.
        least: The smallest such ratio.
        most: The largest.
        scores: Between which both were compared.
        score: Score above the other's at equal latency, the mean over the latencies that both keep; None where the
            other is faster than every setting.
    """

    latency: Estimate | None
    least: float
    most: float
    scores: tuple[float, float]
    score: Estimate | None


def contests(records: Iterable[Record]) -> list[Contest]:
    """Return the records by pool and load, then by setting, all in the order of their first record."""
    found: dict[tuple[str, str, float], dict[tuple[str, tuple[tuple[str, float], ...]], list[Record]]] = {}
    for record in records:
        settings = found.setdefault((record.workload, record.pool, record.load), {})
        settings.setdefault((record.policy, tuple(record.params.items())), []).append(record)
    return [
        Contest(
            workload=workload,
            pool=pool,
            load=load,
            settings=tuple(
                Setting(policy=policy, params=dict(params), records=tuple(sorted(each, key=lambda r: r.seed)))
                for (policy, params), each in settings.items()
            ),
        )
        for (workload, pool, load), settings in found.items()
    ]


def student(values: Sequence[float]) -> Estimate:
    """Return the mean of the values, at least one, with its t interval; without ends where there is but one."""
    mean, count = float(np.mean(values)), len(values)
    reach = _quantile(count) * float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return Estimate(mean=mean, low=mean - reach, high=mean + reach)


def speedup(setting: Setting, other: Setting) -> Estimate:
    """Return how many times lower a setting's mean latency is, paired by seed, as a geometric mean."""
    ratios = np.log(other.values(_latency) / setting.values(_latency))
    return _exponential(student(ratios.tolist()))


def points(setting: Setting, other: Setting) -> Estimate:
    """Return how much higher a setting's score is, paired by seed."""
    return student((setting.values(_score) - other.values(_score)).tolist())


def mean_frontier(settings: Sequence[Setting]) -> Frontier:
    """Return the frontier of mean latencies and scores over the seeds."""
    (found,) = _frontiers(settings, _all_seeds(settings)[None, :])
    return found


def advantage(ours: Sequence[Setting], theirs: Sequence[Setting], *, seed: int = 0) -> Advantage:
    """Return how far our frontier lies from theirs; both have at least one setting, and the same seeds.

    Args:
        ours: Settings of one policy.
        theirs: Settings of another.
        seed: Of the bootstrap.
    """
    every = _all_seeds(ours)
    draws = np.random.default_rng(seed).integers(len(every), size=(DRAWS, len(every)))
    pairs = list(zip(_frontiers(ours, draws), _frontiers(theirs, draws), strict=True))
    mean = mean_frontier(ours), mean_frontier(theirs)
    scores, latencies = common_scores(*mean, count=LEVELS), common_latencies(*mean, count=LEVELS)
    ratios = _ratios(*mean, scores)
    return Advantage(
        latency=_bootstrapped(lambda a, b: _ratios(a, b, scores), mean, pairs, len(every), _exponential),
        least=math.exp(min(ratios, default=math.nan)),
        most=math.exp(max(ratios, default=math.nan)),
        scores=(min(scores, default=math.nan), max(scores, default=math.nan)),
        score=_bootstrapped(lambda a, b: _gains(a, b, latencies), mean, pairs, len(every), lambda same: same),
    )


def _ratios(ours: Frontier, theirs: Frontier, scores: Sequence[float]) -> list[float]:
    """Return the logarithm of our latency over theirs at each score that both give."""
    pairs = [(latency_at(ours, score), latency_at(theirs, score)) for score in scores]
    return [math.log(mine / other) for mine, other in pairs if mine is not None and other is not None]


def _gains(ours: Frontier, theirs: Frontier, latencies: Sequence[float]) -> list[float]:
    """Return our score minus theirs at each latency that both keep."""
    pairs = [(score_at(ours, latency), score_at(theirs, latency)) for latency in latencies]
    return [mine - other for mine, other in pairs if mine is not None and other is not None]


def _bootstrapped(
    figures: Callable[[Frontier, Frontier], list[float]],
    mean: tuple[Frontier, Frontier],
    pairs: Sequence[tuple[Frontier, Frontier]],
    seeds: int,
    scale: Callable[[Estimate], Estimate],
) -> Estimate | None:
    """Return the mean of the figures of two frontiers; a draw that has none says nothing."""
    found = figures(*mean)
    if not found:
        return None
    centre = float(np.mean(found))
    drawn = [float(np.mean(each)) for each in (figures(*pair) for pair in pairs) if each]
    if seeds < 2 or len(drawn) < 2:
        return scale(Estimate(mean=centre, low=-math.inf, high=math.inf))
    reach = _quantile(seeds) * float(np.std(drawn, ddof=1)) * math.sqrt(seeds / (seeds - 1))
    return scale(Estimate(mean=centre, low=centre - reach, high=centre + reach))


def _frontiers(settings: Sequence[Setting], draws: NDArray[np.intp]) -> list[Frontier]:
    """Return a frontier for each draw of seeds, (draws, seeds)."""
    latencies = np.array([setting.values(_latency)[draws].mean(axis=1) for setting in settings])
    scores = np.array([setting.values(_score)[draws].mean(axis=1) for setting in settings])
    return [
        frontier(map(Point, latency, score))
        for latency, score in zip(latencies.T.tolist(), scores.T.tolist(), strict=True)
    ]


def _all_seeds(settings: Sequence[Setting]) -> NDArray[np.intp]:
    return np.arange(len(settings[0].records))


def _exponential(value: Estimate) -> Estimate:
    return Estimate(mean=math.exp(value.mean), low=math.exp(value.low), high=math.exp(value.high))


def _quantile(count: int) -> float:
    return float(stdtrit(count - 1, CONFIDENCE))


def _latency(record: Record) -> float:
    return record.latency_mean


def _score(record: Record) -> float:
    return record.score
