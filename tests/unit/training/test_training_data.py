import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import (
    MODELS,
    prompt_rows,
    prompt_table,
    workflow_rows,
    workflow_table,
    write_arrivals,
    write_recordings,
)

from chimera_training.data import (
    ARRIVALS,
    PROMPT_OUTCOMES,
    WORKFLOW_TRACES,
    Arrival,
    DataError,
    read_arrivals,
    read_prompt_outcomes,
    read_workflows,
    recorded_folder,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recordings(tmp_path, prompts=prompt_rows(4), workflows=workflow_rows(4))


def _replace(folder: Path, file: str, column: str, values: pa.Array) -> None:
    table = pq.read_table(folder / file)
    pq.write_table(table.set_column(table.column_names.index(column), column, values), folder / file)


def test_outcomes_come_back_as_they_were_written(folder: Path) -> None:
    """Reading gives the rows of the file, in its order."""
    assert read_prompt_outcomes(folder) == prompt_rows(4)


def test_workflows_come_back_with_their_stages_in_order(folder: Path) -> None:
    """The rows of one workflow become one value with all its stages."""
    assert read_workflows(folder) == workflow_rows(4)


def test_reading_some_models_leaves_the_others_out(folder: Path) -> None:
    """A pool reads only the rows of its own models."""
    assert {row.model for row in read_prompt_outcomes(folder, models={"Big-70B-Chat"})} == {"Big-70B-Chat"}
    assert {row.model for row in read_workflows(folder, models={"Big-70B-Chat", "unknown"})} == {"Big-70B-Chat"}


def test_no_models_means_no_rows_not_all_rows(folder: Path) -> None:
    """An empty choice is a choice."""
    assert read_prompt_outcomes(folder, models=()) == []


def test_plain_text_columns_read_like_dictionary_encoded_ones(folder: Path) -> None:
    """How a writer encoded text makes no difference."""
    table = pq.read_table(folder / PROMPT_OUTCOMES)
    index = table.column_names.index("model")
    plain = table.set_column(index, "model", table["model"].cast(pa.string()))
    pq.write_table(plain, folder / PROMPT_OUTCOMES)

    assert read_prompt_outcomes(folder) == prompt_rows(4)


def test_sizes_that_were_not_published_read_as_zero(folder: Path) -> None:
    """An empty `params_b` is a size that nobody published."""
    rows = len(pq.read_table(folder / PROMPT_OUTCOMES))
    _replace(folder, PROMPT_OUTCOMES, "params_b", pa.nulls(rows, pa.float32()))

    assert {row.parameters_b for row in read_prompt_outcomes(folder)} == {0.0}


def test_sizes_lose_the_noise_of_single_precision(folder: Path) -> None:
    """2.6 billion stored in single precision is 2.6 billion."""
    rows = len(pq.read_table(folder / PROMPT_OUTCOMES))
    _replace(folder, PROMPT_OUTCOMES, "params_b", pa.array([2.6] * rows, pa.float32()))

    assert {row.parameters_b for row in read_prompt_outcomes(folder)} == {2.6}


@pytest.mark.parametrize("column", ["prompt_text", "success", "params_b", "model"])
def test_a_missing_column_is_named(folder: Path, column: str) -> None:
    """The error names the file, the column and the rule."""
    table = pq.read_table(folder / PROMPT_OUTCOMES)
    pq.write_table(table.drop_columns([column]), folder / PROMPT_OUTCOMES)

    with pytest.raises(DataError, match=rf"prompt_outcomes\.parquet: column '{column}' is missing"):
        read_prompt_outcomes(folder, models=MODELS)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("success", 2, "0 or 1"),
        ("output_tokens", -1, "a whole number, 0 or more"),
        ("output_tokens", "many", "a whole number, 0 or more"),
        *((column, float("nan"), "a whole number, 0 or more") for column in ("prompt_tokens", "output_tokens")),
        ("success", float("nan"), "0 or 1"),
        ("params_b", -7.0, "a positive number or empty"),
        ("params_b", float("nan"), "a positive number or empty"),
        ("model", 7, "text"),
    ],
)
def test_a_cell_that_breaks_its_rule_is_named_by_column(folder: Path, column: str, value: object, rule: str) -> None:
    """One bad cell refuses the file, naming column and rule."""
    rows = len(pq.read_table(folder / PROMPT_OUTCOMES))
    _replace(folder, PROMPT_OUTCOMES, column, pa.array([value] * rows))

    with pytest.raises(DataError, match=rf"every cell of column '{column}' must be {rule}"):
        read_prompt_outcomes(folder)


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        *((name, "a whole number, 0 or more") for name in ("trial", "stage", "prompt_tokens", "output_tokens")),
        ("remaining_output_tokens", "a whole number, 0 or more"),
        ("params_b", "a positive number or empty"),
        ("success", "0 or 1"),
    ],
)
def test_what_is_not_a_number_is_refused_in_every_column_of_the_workflows(folder: Path, column: str, rule: str) -> None:
    """NaN says nothing, and would spoil every figure that it enters."""
    rows = len(pq.read_table(folder / WORKFLOW_TRACES))
    _replace(folder, WORKFLOW_TRACES, column, pa.array([1.0] * (rows - 1) + [float("nan")]))

    with pytest.raises(DataError, match=rf"^workflow_traces\.parquet: every cell of column '{column}' must be {rule}$"):
        read_workflows(folder)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("file", "read"), [(PROMPT_OUTCOMES, read_prompt_outcomes), (WORKFLOW_TRACES, read_workflows)])
def test_labels_that_are_all_alike_are_refused(
    tmp_path: Path, file: str, read: Callable[[Path], object], label: int
) -> None:
    """Nothing can be learned from answers that are all right, or all wrong, and no figure says anything."""
    folder = write_recordings(tmp_path)
    rows = len(pq.read_table(folder / file))
    _replace(folder, file, "success", pa.array([label] * rows))

    with pytest.raises(DataError, match=f"^{file}: column 'success' must hold both 0 and 1, but all {rows} rows"):
        read(folder)


def test_one_model_may_always_be_right(tmp_path: Path) -> None:
    """The rule is the file's: of all models together."""
    rows = read_prompt_outcomes(write_recordings(tmp_path), models={"Big-70B-Chat"})

    assert len(rows) == 60
    assert all(row.success for row in rows)


def test_a_few_labels_may_be_alike(tmp_path: Path) -> None:
    """Three runs of one task may all have failed."""
    failed = [replace(run, success=False) for run in workflow_rows()[:3]]
    folder = write_recordings(tmp_path, workflows=failed)

    assert read_workflows(folder) == failed


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_an_arrival_at_no_time_is_refused(tmp_path: Path, seconds: str) -> None:
    """The line names itself and the column."""
    write_arrivals(tmp_path, [("steady", 0.5, 1, 1), ("steady", seconds, 1, 1)])

    with pytest.raises(DataError, match=r"^arrivals\.csv\.gz: line 3: column 't_seconds' must be a finite number$"):
        read_arrivals(tmp_path, "steady")


def test_an_empty_cell_is_refused(folder: Path) -> None:
    """Only sizes may be left out."""
    rows = len(pq.read_table(folder / PROMPT_OUTCOMES))
    _replace(folder, PROMPT_OUTCOMES, "success", pa.nulls(rows, pa.int8()))

    with pytest.raises(DataError, match="column 'success' must have no empty cells"):
        read_prompt_outcomes(folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the file that is not there."""
    with pytest.raises(DataError, match=r"prompt_outcomes\.parquet: the file is missing"):
        read_prompt_outcomes(tmp_path)
    with pytest.raises(DataError, match=r"arrivals\.csv\.gz: the file is missing"):
        read_arrivals(tmp_path, "steady")


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    """Anything else under the right name says so."""
    (tmp_path / WORKFLOW_TRACES).write_bytes(b"not parquet at all")

    with pytest.raises(DataError, match="the file must be parquet"):
        read_workflows(tmp_path)


@pytest.mark.parametrize("stages", [[1, 0, 2], [0, 2, 1], [0, 0, 0]])
def test_stages_out_of_order_are_refused(tmp_path: Path, stages: list[int]) -> None:
    """A workflow whose rows are not its stages in order is no workflow."""
    table = workflow_table(workflow_rows(1)[:1])
    pq.write_table(table.set_column(7, "stage", pa.array(stages)), tmp_path / WORKFLOW_TRACES)

    with pytest.raises(DataError, match="column 'stage' must count from 0"):
        read_workflows(tmp_path)


def test_arrivals_come_sorted_and_only_of_the_trace_asked_for(tmp_path: Path) -> None:
    """Rows of other traces are left out; the rest stands in order of time."""
    write_arrivals(tmp_path, [("a", 2.0, 20, 2), ("b", 0.0, 9, 9), ("a", 1.5, 10, 1)])

    assert read_arrivals(tmp_path, "a") == [Arrival(1.5, 10, 1), Arrival(2.0, 20, 2)]


def test_an_unknown_trace_is_refused(tmp_path: Path) -> None:
    """Asking for a trace that no row belongs to is an error, not an empty day."""
    write_arrivals(tmp_path, [("a", 2.0, 20, 2)])

    with pytest.raises(DataError, match="column 'trace' must hold 'z' in some row"):
        read_arrivals(tmp_path, "z")


def test_an_arrival_that_is_not_a_number_is_named_by_line(tmp_path: Path) -> None:
    """The error names the line of the table."""
    write_arrivals(tmp_path, [("a", 1.0, 20, 2), ("a", "soon", 20, 2)])

    with pytest.raises(DataError, match=r"arrivals\.csv\.gz: line 3"):
        read_arrivals(tmp_path, "a")


def test_a_column_missing_from_arrivals_is_named(tmp_path: Path) -> None:
    """The error names the column."""
    write_arrivals(tmp_path, [("a", 1.0, 20)], header=("trace", "t_seconds", "input_tokens"))

    with pytest.raises(DataError, match="column 'output_tokens' is missing"):
        read_arrivals(tmp_path, "a")


@pytest.mark.parametrize("content", [b"plain text", gzip.compress(b"\xff\xfe"), gzip.compress(b"trace,t\na,1")[:-6]])
def test_arrivals_that_are_not_a_gzipped_table_are_refused(tmp_path: Path, content: bytes) -> None:
    """Broken compression and broken encoding are told in one sentence."""
    (tmp_path / ARRIVALS).write_bytes(content)

    with pytest.raises(DataError, match="must be a gzipped table"):
        read_arrivals(tmp_path, "a")


def test_the_package_brings_outcomes_workflows_and_arrivals() -> None:
    """What ships is readable, holds the demo's models and all three traces."""
    demo = {"CodeQwen1.5-7B-Chat", "Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct"}

    assert {row.model for row in read_workflows(recorded_folder(), models=demo)} == demo
    assert read_prompt_outcomes(recorded_folder(), models=demo)
    for trace in ("azure-2023-conv", "azure-2023-code", "mooncake-2024-conversation"):
        assert len(read_arrivals(recorded_folder(), trace)) > 1000


def test_prompt_tables_have_the_columns_the_reader_asks_for() -> None:
    """The builder of these tests and the reader agree on names."""
    assert "prompt_text" in prompt_table(prompt_rows(1)).column_names
