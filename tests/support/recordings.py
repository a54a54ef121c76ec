"""Small made-up recordings with known regularities, and the files they come in."""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chimera_training.data import ARRIVALS, PROMPT_OUTCOMES, WORKFLOW_TRACES, PromptOutcome, Stage, Workflow

MODELS = {"Big-70B-Chat": 70.0, "Small-7B-Chat": 7.0, "Coder-7B-Chat": 7.0}
_SUMS = ("apple", "river", "train", "market", "garden")
_CODE = ("list", "string", "graph", "queue", "matrix")


def prompt_rows(count: int = 60) -> list[PromptOutcome]:
    """Sums: the big model is right, the small one on easy texts only, the coder never; hard texts get long answers."""
    return [
        PromptOutcome(
            task_set="sums",
            category="sums",
            prompt_id=f"sums-{number}",
            text=_sum_text(number),
            prompt_tokens=30,
            model=model,
            parameters_b=size,
            success=model == "Big-70B-Chat" or (model == "Small-7B-Chat" and number % 2 == 0),
            output_tokens=(200 if number % 2 else 50) * (2 if model == "Small-7B-Chat" else 1),
        )
        for number in range(count)
        for model, size in MODELS.items()
    ]


def workflow_rows(count: int = 60) -> list[Workflow]:
    """Code: the coder solves every task in one stage, the others fail after three."""
    return [_workflow(number, model, size) for number in range(count) for model, size in MODELS.items()]


def _sum_text(number: int) -> str:
    word = _SUMS[number % len(_SUMS)]
    kind = "tricky fractions" if number % 2 else "plain numbers"
    return f"How many {word} items number {number} are left with {kind} of them sold at the end?"


def _workflow(number: int, model: str, size: float) -> Workflow:
    lengths = (100,) if model == "Coder-7B-Chat" else (150, 120, 90)
    text = f"Write a function {number} that sorts a {_CODE[number % len(_CODE)]} and returns it in order."
    return Workflow(
        workflow_id=f"code-{number}|{model}",
        task_set="code",
        task_id=f"code-{number}",
        agent="react-tool",
        model=model,
        parameters_b=size,
        trial=0,
        success=model == "Coder-7B-Chat",
        stages=tuple(
            Stage(
                text=text if stage == 0 else "Observation: it failed",
                prompt_tokens=900 + 200 * stage,
                output_tokens=length,
                remaining_tokens=sum(lengths[stage:]),
            )
            for stage, length in enumerate(lengths)
        ),
    )


def write_recordings(
    folder: Path,
    *,
    prompts: Sequence[PromptOutcome] | None = None,
    workflows: Sequence[Workflow] | None = None,
) -> Path:
    """Write both parquet files as the sources have them, and arrivals."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(prompt_table(prompt_rows() if prompts is None else prompts), folder / PROMPT_OUTCOMES)
    pq.write_table(workflow_table(workflow_rows() if workflows is None else workflows), folder / WORKFLOW_TRACES)
    write_arrivals(folder, [("steady", 0.5 * number, 100, 20) for number in range(4)])
    return folder


def prompt_table(rows: Sequence[PromptOutcome]) -> Any:
    return _table(
        {
            "task_set": [row.task_set for row in rows],
            "category": [row.category for row in rows],
            "prompt_id": [row.prompt_id for row in rows],
            "prompt_text": [row.text for row in rows],
            "prompt_tokens": [row.prompt_tokens for row in rows],
            "model": [row.model for row in rows],
            "params_b": [row.parameters_b or None for row in rows],
            "success": [int(row.success) for row in rows],
            "output_tokens": [row.output_tokens for row in rows],
        }
    )


def workflow_table(rows: Sequence[Workflow]) -> Any:
    calls = [(row, number, stage) for row in rows for number, stage in enumerate(row.stages)]
    return _table(
        {
            "workflow_id": [row.workflow_id for row, _, _ in calls],
            "task_set": [row.task_set for row, _, _ in calls],
            "task_id": [row.task_id for row, _, _ in calls],
            "agent": [row.agent for row, _, _ in calls],
            "model": [row.model for row, _, _ in calls],
            "params_b": [row.parameters_b or None for row, _, _ in calls],
            "trial": [row.trial for row, _, _ in calls],
            "stage": [number for _, number, _ in calls],
            "prompt_tokens": [stage.prompt_tokens for _, _, stage in calls],
            "output_tokens": [stage.output_tokens for _, _, stage in calls],
            "remaining_output_tokens": [stage.remaining_tokens for _, _, stage in calls],
            "request_text": [stage.text for _, _, stage in calls],
            "success": [int(row.success) for row, _, _ in calls],
        }
    )


def write_arrivals(folder: Path, rows: Sequence[tuple[Any, ...]], header: Sequence[str] | None = None) -> None:
    with gzip.open(folder / ARRIVALS, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header or ("trace", "t_seconds", "input_tokens", "output_tokens"))
        writer.writerows(rows)


def _table(columns: dict[str, list[Any]]) -> Any:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    return pa.table(
        {name: array.dictionary_encode() if pa.types.is_string(array.type) else array for name, array in arrays.items()}
    )
