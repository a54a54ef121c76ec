from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import prompt_rows, workflow_rows, write_recordings

from chimera_training import redistribute
from chimera_training.data import (
    ARRIVALS,
    PROMPT_OUTCOMES,
    WORKFLOW_TRACES,
    read_prompt_outcomes,
    read_workflows,
    recorded_folder,
)
from chimera_training.redistribute import is_sampled, may_be_shipped

LARGEST = 3 << 20  # bytes of the recorded data in the project


@pytest.mark.parametrize(
    ("task_set", "category", "shipped"),
    [
        ("gsm8k", "gsm8k", True),
        ("cruxeval", "cruxeval", True),
        ("mmlu-pro", "math", True),  # MMLU-Pro's own subject, not the MATH benchmark
        ("math-l5", "math-l5", False),
        ("mint-1turn", "math", False),
        ("mint-1turn", "hotpotqa", False),
        ("mint-1turn", "gsm8k", True),
        ("mint-math", "", False),
        ("mint-hotpotqa", "", False),
        ("mint-mbpp", "", True),
        ("tau-airline", "", True),
    ],
)
def test_a_row_ships_when_its_tasks_licence_allows_it(task_set: str, category: str, shipped: bool) -> None:  # noqa: FBT001 - a column of the table
    """Neither MATH nor HotpotQA leaves the project, under whatever name they stand."""
    assert may_be_shipped(task_set, category) is shipped


def test_small_sets_are_kept_whole() -> None:
    """Only the set that is too large is sampled."""
    assert all(is_sampled("gsm8k", f"gsm8k-{number}") for number in range(50))


def test_a_large_set_is_sampled_by_prompt() -> None:
    """About one prompt in three stays, and the id alone decides."""
    kept = [is_sampled("mmlu-pro", f"mmlu-pro-{number}") for number in range(3000)]

    assert 0.30 < sum(kept) / len(kept) < 0.37
    assert kept == [is_sampled("mmlu-pro", f"mmlu-pro-{number}") for number in range(3000)]


def test_texts_of_rows_left_out_are_not_in_the_file(tmp_path: Path) -> None:
    """A dictionary-encoded column must not carry the words of rows that were filtered away."""
    withheld = "the withheld problem of the competition"
    table = pa.table(
        {
            "task_set": pa.array(["mint-math", "mint-mbpp"]).dictionary_encode(),
            "request_text": pa.array([withheld, "write a function"]).dictionary_encode(),
        }
    )

    pq.write_table(redistribute.shippable_workflow_traces(table), tmp_path / "out.parquet", compression="none")

    assert withheld.encode() not in (tmp_path / "out.parquet").read_bytes()
    assert pq.read_table(tmp_path / "out.parquet")["request_text"].to_pylist() == ["write a function"]


def test_the_command_writes_the_three_files(tmp_path: Path) -> None:
    """Source in, the shippable part out: here all of it, since nothing in the source is withheld."""
    source = write_recordings(tmp_path / "source", prompts=prompt_rows(4), workflows=workflow_rows(4))

    redistribute.main([str(source), str(tmp_path / "target")])

    assert read_prompt_outcomes(tmp_path / "target") == prompt_rows(4)
    assert read_workflows(tmp_path / "target") == workflow_rows(4)
    assert (tmp_path / "target" / ARRIVALS).read_bytes() == (source / ARRIVALS).read_bytes()


def test_the_recorded_data_holds_nothing_that_may_not_ship() -> None:
    """Every row in the project passes the rule."""
    outcomes = pq.read_table(recorded_folder() / PROMPT_OUTCOMES, columns=["task_set", "category"]).to_pydict()
    traces = pq.read_table(recorded_folder() / WORKFLOW_TRACES, columns=["task_set"]).to_pydict()

    assert all(map(may_be_shipped, outcomes["task_set"], outcomes["category"]))
    assert all(map(may_be_shipped, traces["task_set"]))


def test_the_recorded_data_stays_small() -> None:
    """A clone and a wheel can carry it."""
    assert sum(file.stat().st_size for file in recorded_folder().iterdir()) < LARGEST


def test_the_notice_credits_every_task_set() -> None:
    """Whatever is in the files is named in NOTICE; sets of one source by their common beginning."""
    notice = (recorded_folder() / "NOTICE").read_text(encoding="utf-8")
    shipped = set(pq.read_table(recorded_folder() / PROMPT_OUTCOMES)["task_set"].to_pylist())
    shipped |= {
        "mint-*" if "mint-" in name else name
        for name in pq.read_table(recorded_folder() / WORKFLOW_TRACES)["task_set"].to_pylist()
    }

    assert all(name in notice for name in shipped)
    assert all(
        licence in notice for licence in ("MIT License", "Apache License 2.0", "Creative Commons Attribution 4.0")
    )
