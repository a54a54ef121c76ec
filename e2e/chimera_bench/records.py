"""One cell of a comparison as a record: what one policy made of one workload."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chimera_bench.replay.results import WorkflowResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is played: one policy on one workload.

    Attributes:
        workload: File that the tasks come from and what spaces their arrivals, such as `workflow_traces/poisson`.
        pool: Name of the pool.
        policy: `chimera` for the recommended setting, else the policy's name.
        params: What was set of it, by name.
        load: Arrival rate over the one at which blind round robin saturates its slowest engine.
        seed: Of the workload and of all that is drawn; cells with equal seeds have equal arrivals.
    """

    workload: str
    pool: str
    policy: str
    params: Mapping[str, float]
    load: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What answers cost, in parameters times output tokens.

    Attributes:
        parameters_b: Parameters of each model, in billions, by its name in the pool.
        large_tokens: Output tokens of the large model's recorded run, by task.
        large: The large model.
    """

    parameters_b: Mapping[str, float]
    large_tokens: Mapping[str, int]
    large: str

    def cost(self, results: Sequence[WorkflowResult]) -> float:
        """Return what the results cost, over sending the same workflows to the large model's recorded runs."""
        spent = sum(
            self.parameters_b[stage.model] * stage.output_tokens
            for result in results
            for stage in result.stages
            if stage.model is not None
        )
        tokens = sum(self.large_tokens[result.task_id] for result in results)
        return spent / (self.parameters_b[self.large] * tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A cell and its figures. Times are seconds, of engines that are simulated.

    Latencies are those of workflows that were answered to the end (of all, where none was); a refused one is unsolved.

    Attributes:
        workload: See `Cell`; so are `pool`, `policy`, `params`, `load` and `seed`.
        workflows: How many arrived.
        score: Share of them whose last model is recorded as right.
        latency_mean: Mean time from a workflow's arrival to its last byte; then its median, 95th and 99th percentile.
        latency_per_token: Mean over workflows of latency divided by output tokens.
        share: Of workflows, by the model that answered last.
        cost: See `Prices.cost`.
        rejected: Workflows of which a request was refused.
    """

    workload: str
    pool: str
    policy: str
    params: Mapping[str, float]
    load: float
    seed: int
    workflows: int
    score: float
    latency_mean: float
    latency_p50: float
    latency_p95: float
    latency_p99: float
    latency_per_token: float
    share: Mapping[str, float]
    cost: float
    rejected: int

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain data, its keys in the order above."""
        return asdict(self)


def record(cell: Cell, results: Sequence[WorkflowResult], prices: Prices) -> Record:
    """Return the record of a cell.

    Args:
        cell: What was played.
        results: One for each workflow, at least one.
        prices: Of the pool's models, in the pool's order.
    """
    answered = [result for result in results if result.model is not None]
    latencies = np.array([result.latency for result in answered or results])
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    last = Counter(result.model for result in results)
    return Record(
        workload=cell.workload,
        pool=cell.pool,
        policy=cell.policy,
        params=cell.params,
        load=cell.load,
        seed=cell.seed,
        workflows=len(results),
        score=sum(result.success for result in results) / len(results),
        latency_mean=float(latencies.mean()),
        latency_p50=p50,
        latency_p95=p95,
        latency_p99=p99,
        latency_per_token=_per_token(answered),
        share={model: last[model] / len(results) for model in prices.parameters_b},
        cost=prices.cost(results),
        rejected=last[None],
    )


def _per_token(answered: Sequence[WorkflowResult]) -> float:
    """Return the mean of each workflow's own seconds per token; a short workflow counts as much as a long one."""
    each = [result.latency / result.output_tokens for result in answered if result.output_tokens]
    return float(np.mean(each or [0.0]))
