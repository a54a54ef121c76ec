"""Workloads from recorded runs."""

from itertools import pairwise
from statistics import fmean, stdev

import pytest
from bench_workloads import run, task

from chimera_bench.workload import (
    arrivals,
    poisson,
    read_gaps,
    read_tasks,
    saturation_rate,
    summed_capacity,
    tasks_of,
)
from chimera_router.scheduling.types import Coefficients
from chimera_training.data import recorded_folder
from chimera_training.split import held_out

MODELS = {"small": "S", "large": "L"}
DEMO = {
    "code-qwen-7b": "CodeQwen1.5-7B-Chat",
    "llama-3-8b": "Meta-Llama-3-8B-Instruct",
    "llama-3-70b": "Meta-Llama-3-70B-Instruct",
}


def test_a_task_needs_a_run_of_every_model() -> None:
    """What one model never tried cannot be routed to it."""
    runs = [run("S", (5,), task="both"), run("L", (5,), task="both"), run("S", (5,), task="alone")]

    assert [item.task_id for item in tasks_of(runs, MODELS)] == ["both"]


def test_runs_are_found_by_the_name_in_the_pool() -> None:
    """The pool's names stand for those of the recorded data."""
    (only,) = tasks_of([run("S", (5,)), run("L", (7, 8))], MODELS)

    assert {name: item.model for name, item in only.runs.items()} == MODELS
    assert only.text == "task t"


def test_the_first_trial_counts() -> None:
    """Repetitions of the same model on the same task are left out."""
    runs = [run("S", (9,), trial=1), run("S", (5,), trial=0), run("L", (7,))]

    assert tasks_of(runs, MODELS)[0].runs["small"].trial == 0


def test_the_preamble_is_what_the_first_prompt_has_besides_the_task() -> None:
    """On average over the models: each counts tokens its own way."""
    assert task(run("S", (5,), prompt=100), run("L", (5,), prompt=120)).preamble_tokens == 110 - 2


def test_a_preamble_is_never_negative() -> None:
    """A task estimated longer than its recorded prompt has none."""
    assert task(run("S", (5,), prompt=1)).preamble_tokens == 0


def test_saturation_is_that_of_the_slowest_engine() -> None:
    """With S output and N prompt tokens a workflow takes S·(b0 + b2·b)/b + N·c of an engine; each gets 1 in M."""
    tasks = [task(run("small", (40, 60), prompt=100), run("large", (200,), prompt=100))]
    engine = Coefficients(base_step=1.0, per_sequence=0.1, prefill_per_token=0.01, max_num_seqs=10, kv_tokens=10**6)
    large = 200 * (1.0 + 0.1 * 10) / 10 + 100 * 0.01

    assert saturation_rate(tasks, {"small": engine, "large": engine}) == pytest.approx(2 / large)


def test_a_small_cache_saturates_sooner() -> None:
    """The batch is what the KV cache holds of the largest contexts, where that is less than the slots."""
    tasks = [task(run("m", (100,), prompt=100))]
    engine = Coefficients(base_step=1.0, per_sequence=0.1, prefill_per_token=0.0, max_num_seqs=10, kv_tokens=1000)

    assert saturation_rate(tasks, {"m": engine}) == pytest.approx(1 / (100 * (1.0 + 0.1 * 5) / 5))


TASKS = [task(run("m", (5,), task=str(index))) for index in range(7)]
GAPS = [float(1 + index % 5) for index in range(100)]


def test_equal_seeds_give_equal_workloads() -> None:
    """Every policy of a comparison sees the same workflows at the same times."""
    first, second = (arrivals(TASKS, GAPS, count=20, rate=2.0, seed=4) for _ in range(2))

    assert first == second
    assert first != arrivals(TASKS, GAPS, count=20, rate=2.0, seed=5)


def test_arrivals_have_the_wished_rate() -> None:
    """The mean gap is that of the rate, and the first workflow comes at once."""
    times = [arrival.at for arrival in arrivals(TASKS, GAPS, count=30, rate=2.0, seed=0)]

    assert times[0] == 0.0
    assert fmean(later - earlier for earlier, later in pairwise(times)) == pytest.approx(0.5)


def test_gaps_keep_their_proportions() -> None:
    """The bursts of the trace stay, scaled as a whole."""
    times = [arrival.at for arrival in arrivals(TASKS, GAPS, count=11, rate=1.0, seed=0)]
    gaps = [later - earlier for earlier, later in pairwise(times)]

    assert max(gaps) / min(gaps) == pytest.approx(5.0)


def test_every_task_comes_once_before_any_comes_again() -> None:
    """A workload larger than the data repeats it whole."""
    order = [arrival.task.task_id for arrival in arrivals(TASKS, GAPS, count=17, rate=1.0, seed=0)]

    assert {*order[:7]} == {*order[7:14]} == {str(index) for index in range(7)}
    assert len({*order[14:]}) == 3


def test_repetitions_are_numbered() -> None:
    """From 0, so that two workflows on one task can be told apart."""
    repetitions = [arrival.repetition for arrival in arrivals(TASKS, GAPS, count=17, rate=1.0, seed=0)]

    assert repetitions == [0] * 7 + [1] * 7 + [2] * 3


def test_one_workflow_is_a_workload() -> None:
    """It has no gaps at all."""
    assert [arrival.at for arrival in arrivals(TASKS, GAPS, count=1, rate=1.0, seed=0)] == [0.0]


def test_the_recorded_data_makes_a_workload() -> None:
    """Held-out tasks of the data in the package have runs of all models of the demo, and texts that tell them apart."""
    tasks = read_tasks(recorded_folder(), DEMO)

    assert len(tasks) > 60
    assert all(held_out(item.task_id) for item in tasks)
    assert len({item.text for item in tasks}) == len(tasks)
    assert all(set(item.runs) == set(DEMO) for item in tasks)
    assert all(item.preamble_tokens > 500 for item in tasks)


def test_the_trace_has_gaps_for_every_workflow_of_a_demo() -> None:
    """Real gaps are never negative, and there are thousands of them."""
    gaps = read_gaps(recorded_folder())

    assert len(gaps) > 5000
    assert min(gaps) >= 0.0


def test_a_poisson_process_has_its_rate_and_its_spread() -> None:
    """Gaps are exponential: their mean is that of the rate, and so is their standard deviation."""
    gaps = [later.at - earlier.at for earlier, later in pairwise(poisson(TASKS, count=20_000, rate=4.0, seed=1))]

    assert fmean(gaps) == pytest.approx(0.25, rel=0.03)
    assert stdev(gaps) == pytest.approx(0.25, rel=0.03)


def test_a_poisson_workload_begins_at_once_and_repeats_by_its_seed() -> None:
    """Every task comes once before any comes again."""
    first = poisson(TASKS, count=20, rate=4.0, seed=1)

    assert first == poisson(TASKS, count=20, rate=4.0, seed=1)
    assert first != poisson(TASKS, count=20, rate=4.0, seed=2)
    assert first[0].at == 0.0
    assert len({arrival.task.task_id for arrival in first[:7]}) == 7
    assert [arrival.repetition for arrival in first] == [0] * 7 + [1] * 7 + [2] * 6


def test_summed_capacity_is_that_of_all_engines() -> None:
    """Each at its own pace."""
    tasks = [task(run("small", (100,), prompt=100), run("large", (200,), prompt=100))]
    engine = Coefficients(base_step=1.0, per_sequence=0.1, prefill_per_token=0.01, max_num_seqs=10, kv_tokens=10**6)
    each = [tokens * (1.0 + 0.1 * 10) / 10 + 100 * 0.01 for tokens in (100, 200)]

    assert summed_capacity(tasks, {"small": engine, "large": engine}) == pytest.approx(1 / each[0] + 1 / each[1])
