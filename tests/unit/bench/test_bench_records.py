"""What a record says of a cell."""

import json

import pytest

from chimera_bench.records import Cell, Prices, Record, record
from chimera_bench.replay.results import StageResult, WorkflowResult

CELL = Cell(workload="workflow_traces/poisson", pool="two", policy="slack", params={"slack": 1.5}, load=0.85, seed=3)
PRICES = Prices(parameters_b={"small": 1.0, "large": 10.0}, large_tokens={"t": 50, "u": 100}, large="large")


def result(
    latency: float, *models: str | None, task: str = "t", tokens: int = 10, success: bool = True
) -> WorkflowResult:
    stages = tuple(StageResult(model=model, output_tokens=tokens if model else 0) for model in models)
    return WorkflowResult(task_id=task, latency=latency, stages=stages, success=success)


def test_the_keys_are_those_that_others_read() -> None:
    """In the order of the published schema, as plain JSON."""
    document = json.loads(json.dumps(record(CELL, [result(1.0, "small")], PRICES).as_json()))

    assert list(document) == [
        *("workload", "pool", "policy", "params", "load", "seed", "workflows", "score"),
        *("latency_mean", "latency_p50", "latency_p95", "latency_p99", "latency_per_token"),
        *("share", "cost", "rejected"),
    ]
    assert document["params"] == {"slack": 1.5}
    assert document["share"] == {"small": 1.0, "large": 0.0}


def test_a_record_names_its_cell() -> None:
    """Workload, pool, policy, load and seed are the cell's."""
    made = record(CELL, [result(1.0, "small")], PRICES)

    assert (made.workload, made.pool, made.policy) == (CELL.workload, CELL.pool, CELL.policy)
    assert (made.load, made.seed, made.workflows) == (0.85, 3, 1)


def test_latencies_are_over_workflows() -> None:
    """Mean and percentiles, interpolated between the two nearest workflows."""
    made = record(CELL, [result(float(number), "small") for number in range(101)], PRICES)

    assert (made.latency_mean, made.latency_p50, made.latency_p95, made.latency_p99) == (50.0, 50.0, 95.0, 99.0)


def test_latency_per_token_is_the_mean_of_the_workflows_own() -> None:
    """A short workflow counts as much as a long one."""
    made = record(CELL, [result(10.0, "small", tokens=10), result(1.0, "small", tokens=100)], PRICES)

    assert made.latency_per_token == pytest.approx((1.0 + 0.01) / 2)


def test_refused_workflows_are_unsolved_and_have_no_latency() -> None:
    """A policy that refuses quickly neither gains latency nor loses workflows from its score."""
    made = record(CELL, [result(4.0, "small"), result(0.0, None, success=False)], PRICES)

    assert (made.latency_mean, made.score, made.rejected, made.workflows) == (4.0, 0.5, 1, 2)


def test_a_cell_that_answered_nothing_has_figures() -> None:
    """It stays valid JSON."""
    made = record(CELL, [result(2.0, "small", None, success=False)], PRICES)

    assert (made.latency_mean, made.latency_per_token, made.score, made.rejected) == (2.0, 0.0, 0.0, 1)


def test_shares_are_by_the_last_model() -> None:
    """A workflow that changed model counts for the one whose outcome it has."""
    made = record(CELL, [result(1.0, "small", "large"), result(1.0, "small")], PRICES)

    assert made.share == {"small": 0.5, "large": 0.5}


@pytest.mark.parametrize(
    ("results", "cost"),
    [
        pytest.param([result(1.0, "large", tokens=50)], 1.0, id="the large model's own run"),
        pytest.param([result(1.0, "small", tokens=50)], 0.1, id="as long, with a tenth of the parameters"),
        pytest.param([result(1.0, "small", "large", tokens=25)], 0.55, id="half of the tokens by each"),
        pytest.param([result(1.0, "large", tokens=50), result(1.0, "small", task="u")], 510 / 1500, id="over tasks"),
        pytest.param([result(1.0, None, success=False)], 0.0, id="nothing was generated"),
    ],
)
def test_cost_is_relative_to_the_large_models_recorded_runs(results: list[WorkflowResult], cost: float) -> None:
    """Parameters times output tokens, of the same workflows."""
    assert record(CELL, results, PRICES).cost == pytest.approx(cost)


def test_equal_results_give_equal_records() -> None:
    """Nothing else goes into a record."""
    results = [result(1.0, "small"), result(2.0, "large", success=False)]

    first: Record = record(CELL, results, PRICES)

    assert first == record(CELL, list(results), PRICES)
