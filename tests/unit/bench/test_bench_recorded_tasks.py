"""The tasks of a serving pool."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench_serving import serving_pool
from recordings import MODELS, prompt_rows, write_recordings

from chimera_bench.recorded_tasks import arrival_rate, as_workflow, read_pool_tasks
from chimera_bench.serving import ServingPool
from chimera_bench.workload import saturation_rate
from chimera_training.data import DataError
from chimera_training.split import held_out

SHARE = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recorded"))


def pool_of(file: str, task_set: str) -> ServingPool:
    return replace(serving_pool(*MODELS), file=file, task_sets=(task_set,))  # type: ignore[arg-type]


def test_only_what_no_bundle_trained_on_is_replayed(folder: Path) -> None:
    """Both sides of the split that bundles are made by, and every task on one of them."""
    tasks = read_pool_tasks(pool_of("workflow_traces", "code"), folder, held_out_share=SHARE)

    assert all(held_out(task.task_id, share=SHARE) for task in tasks.unseen)
    assert not any(held_out(task.task_id, share=SHARE) for task in tasks.training)
    assert len(tasks.unseen) + len(tasks.training) == 60


def test_runs_stand_in_the_order_of_the_pool(folder: Path) -> None:
    """From small to large."""
    tasks = read_pool_tasks(pool_of("workflow_traces", "code"), folder, held_out_share=SHARE)

    assert [tuple(task.runs) for task in tasks.unseen] == [tuple(MODELS)] * len(tasks.unseen)


def test_an_answer_is_a_workflow_of_one_stage(folder: Path) -> None:
    """With the tokens and the outcome that were recorded."""
    (first, *_) = read_pool_tasks(pool_of("prompt_outcomes", "sums"), folder, held_out_share=SHARE).unseen
    row = next(row for row in prompt_rows() if row.prompt_id == first.task_id and row.model == "Small-7B-Chat")
    run = first.runs["Small-7B-Chat"]
    (stage,) = run.stages

    assert (stage.text, stage.prompt_tokens) == (row.text, row.prompt_tokens)
    assert (stage.output_tokens, stage.remaining_tokens) == (row.output_tokens, row.output_tokens)
    assert run.success == row.success


def test_an_empty_answer_takes_a_token() -> None:
    """An engine ends it with one."""
    run = as_workflow(replace(prompt_rows(1)[0], output_tokens=0))

    assert run.stages[0].output_tokens == 1


def test_a_prompt_needs_an_answer_of_every_model(tmp_path: Path) -> None:
    """What one model never answered cannot be routed to it."""
    rows = [row for row in prompt_rows() if row.prompt_id != "sums-3" or row.model != "Coder-7B-Chat"]
    folder = write_recordings(tmp_path, prompts=rows)
    tasks = read_pool_tasks(pool_of("prompt_outcomes", "sums"), folder, held_out_share=SHARE)

    assert "sums-3" not in {task.task_id for task in (*tasks.unseen, *tasks.training)}


def test_a_pool_without_tasks_is_refused(folder: Path) -> None:
    """With its name."""
    with pytest.raises(DataError, match="pool small: there is no task"):
        read_pool_tasks(pool_of("workflow_traces", "elsewhere"), folder, held_out_share=SHARE)


def test_load_is_counted_in_engines(folder: Path) -> None:
    """Twice the engines serve twice the workflows at the same load."""
    pool = pool_of("workflow_traces", "code")
    tasks = read_pool_tasks(pool, folder, held_out_share=SHARE).unseen
    one = saturation_rate(tasks, pool.coefficients)

    assert arrival_rate(pool, tasks, load=0.5) == pytest.approx(0.5 * one)
    assert arrival_rate(replace(pool, endpoints=3), tasks, load=1.0) == pytest.approx(3 * one)
