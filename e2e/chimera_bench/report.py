"""Sum up replays: latency, score and where the work went, for each policy on the same arrivals.

Pure. Intervals are percentile bootstraps (Efron 1979) over tasks: what another draw of as many tasks would give. A
task that comes twice is drawn with both its workflows, for the second says little that the first did not. They leave
out that workflows of one replay delay each other.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chimera_bench.replay.results import WorkflowResult

# Draws of the bootstrap: the ends of a 95 % interval then repeat to about 2 % of its width.
DRAWS = 2000

# Percentiles between which an interval lies.
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One policy on one workload.

    Attributes:
        policy: Its name.
        workflows: How many arrived.
        latency: Mean seconds from a workflow's arrival to its last byte.
        p50: Median of the same.
        p95: Its 95th percentile.
        latency_per_token: Mean over workflows of latency divided by output tokens, in seconds (`normalized latency` of
            Yu et al., Orca, OSDI 2022).
        score: Share of workflows whose last model is recorded as right.
        share: Of workflows, by the model that answered last.
        later_stages: Stages after the first.
        kept_stages: Those of them that stayed on the model of the stage before.
        retries: Requests sent again after a failure.
        given_up: Workflows that a request failed for good.
    """

    policy: str
    workflows: int
    latency: Estimate
    p50: float
    p95: float
    latency_per_token: float
    score: Estimate
    share: dict[str, float]
    later_stages: int
    kept_stages: int
    retries: int
    given_up: int

    def as_json(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        return asdict(self)


def summarise(policy: str, results: Sequence[WorkflowResult], *, models: Sequence[str], seed: int = 0) -> Summary:
    """Return the summary of a replay.

    Args:
        policy: Name of the policy.
        results: One for each workflow, at least one.
        models: The pool's models, in its order.
        seed: Of the bootstrap.
    """
    latencies = np.array([result.latency for result in results])
    scores = np.array([float(result.success) for result in results])
    _, tasks = np.unique([result.task_id for result in results], return_inverse=True)
    answered = [result for result in results if result.output_tokens]
    last = Counter(result.model for result in results)
    return Summary(
        policy=policy,
        workflows=len(results),
        latency=estimate(latencies, tasks, seed=seed),
        p50=float(np.percentile(latencies, 50)),
        p95=float(np.percentile(latencies, 95)),
        latency_per_token=float(np.mean([result.latency / result.output_tokens for result in answered] or [0.0])),
        score=estimate(scores, tasks, seed=seed),
        share={model: last[model] / len(results) for model in models},
        later_stages=_total(results, lambda result: result.later_stages),
        kept_stages=_total(results, lambda result: result.kept_stages),
        retries=_total(results, lambda result: result.retries),
        given_up=last[None],
    )


def estimate(values: NDArray[np.float64], groups: NDArray[np.intp], *, seed: int) -> Estimate:
    """Return the mean of the values, at least one, with its bootstrap interval.

    Args:
        values: (N,) what was measured.
        groups: (N,) which are drawn together, numbered from 0 without a gap.
        seed: Of the draws.
    """
    sums, sizes = np.bincount(groups, values), np.bincount(groups)
    draws = np.random.default_rng(seed).integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.percentile(sums[draws].sum(axis=1) / sizes[draws].sum(axis=1), INTERVAL)
    return Estimate(mean=float(values.mean()), low=float(low), high=float(high))


def _total(results: Sequence[WorkflowResult], count: Callable[[WorkflowResult], int]) -> int:
    return sum(map(count, results))
