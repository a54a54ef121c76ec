"""Figures of a replay, and how they are shown."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from chimera_bench.plot import plot
from chimera_bench.replay.results import StageResult, WorkflowResult
from chimera_bench.report import Summary, estimate, summarise
from chimera_bench.table import table

MODELS = ("small", "large")


def result(
    latency: float, *models: str | None, success: bool = True, tokens: int = 10, retries: int = 0
) -> WorkflowResult:
    stages = tuple(StageResult(model=model, output_tokens=tokens if model else 0, retries=retries) for model in models)
    return WorkflowResult(task_id=str(latency), latency=latency, stages=stages, success=success)


def summary(policy: str = "chimera") -> Summary:
    results = [result(float(index), "small", "large" if index % 4 else "small") for index in range(1, 101)]
    return summarise(policy, results, models=MODELS)


def test_latencies_are_summed_up() -> None:
    """Mean, median and 95th percentile, over workflows."""
    figures = summary()

    assert (figures.workflows, figures.latency.mean, figures.p50) == (100, 50.5, 50.5)
    assert figures.p95 == pytest.approx(95.05)


def test_latency_per_token_is_the_mean_of_the_workflows_own() -> None:
    """A short workflow counts as much as a long one."""
    results = [result(10.0, "small", tokens=10), result(1.0, "small", tokens=100)]

    assert summarise("p", results, models=MODELS).latency_per_token == pytest.approx((1.0 + 0.01) / 2)


def test_shares_are_by_the_last_model_in_the_order_of_the_pool() -> None:
    """Models that answered nothing are in it with 0."""
    results = [result(1.0, "small", "large"), result(1.0, "large"), result(1.0, "large"), result(1.0, "large")]

    assert list(summarise("p", results, models=MODELS).share.items()) == [("small", 0.0), ("large", 1.0)]


def test_the_score_is_the_share_of_solved_workflows() -> None:
    """One that was given up is not solved."""
    results = [result(1.0, "small"), result(1.0, "small", success=False), result(1.0, None, success=False)]
    figures = summarise("p", results, models=MODELS)

    assert (figures.score.mean, figures.given_up) == (pytest.approx(1 / 3), 1)


def test_stages_and_retries_are_totals() -> None:
    """Over all workflows."""
    results = [result(1.0, "small", "small", "large", retries=1), result(1.0, "small")]
    figures = summarise("p", results, models=MODELS)

    assert (figures.later_stages, figures.kept_stages, figures.retries) == (2, 1, 3)


def test_a_round_that_failed_altogether_has_figures() -> None:
    """Nothing was generated, so there is no latency per token."""
    assert summarise("p", [result(1.0, None, success=False)], models=MODELS).latency_per_token == 0.0


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30))
def test_the_interval_lies_among_the_values(values: list[float]) -> None:
    """No mean of draws is smaller than the smallest value or larger than the largest."""
    found = estimate(np.array(values), np.arange(len(values)), seed=0)

    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    """For many values a bootstrap comes to 1.96 standard errors."""
    values = np.random.default_rng(1).exponential(10.0, size=2000)
    found = estimate(values, np.arange(len(values)), seed=0)
    error = 1.96 * values.std() / np.sqrt(len(values))

    assert found.low == pytest.approx(values.mean() - error, rel=0.01)
    assert found.high == pytest.approx(values.mean() + error, rel=0.01)


def test_workflows_of_one_task_are_drawn_together() -> None:
    """A workload that repeats its tasks knows no more than one that does not."""
    values = np.random.default_rng(1).exponential(10.0, size=50)
    once = estimate(values, np.arange(50), seed=0)
    twice = estimate(np.repeat(values, 2), np.repeat(np.arange(50), 2), seed=0)

    assert (twice.mean, twice.low, twice.high) == pytest.approx((once.mean, once.low, once.high))


def test_equal_seeds_give_equal_intervals() -> None:
    """A report can be repeated."""
    assert summary() == summary()


def test_a_summary_is_plain_data() -> None:
    """It goes through JSON unharmed."""
    document = json.loads(json.dumps(summary().as_json()))

    assert document["latency"]["mean"] == 50.5
    assert document["share"] == {"small": 0.25, "large": 0.75}


def shown(*summaries: Summary, width: int = 80) -> str:
    console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115 - the console's to keep
    with console.file:
        console.print(table(summaries))
        return console.export_text()


def test_the_table_fits_a_terminal() -> None:
    """Eighty columns show every figure whole."""
    text = shown(*(summary(policy) for policy in ("chimera", "always-large")))

    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_table_says_what_it_shows() -> None:
    """Simulated engines, recorded scores, and the order of the models."""
    text = " ".join(shown(summary()).split())

    assert "Engines are simulated" in text
    assert "recorded outcomes" in text
    assert "small / large" in text
    assert "25/75" in text


def test_workflows_that_were_given_up_are_named() -> None:
    """A latency that leaves out what never ended would flatter."""
    lost = summarise("chimera", [result(1.0, "small"), result(9.0, None, success=False)], models=MODELS)

    assert "Under chimera 1 workflows were given up" in " ".join(shown(lost).split())
    assert "given up" not in shown(summary())


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    """One picture, whatever the number of policies."""
    path = tmp_path / "frontier.png"
    plot([summary(str(index)) for index in range(9)], path, subtitle="100 workflows")

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 600


def test_a_plot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller names the file."""
    with pytest.raises(OSError, match="No such file"):
        plot([summary()], tmp_path / "missing" / "frontier.png", subtitle="")
