"""Recorded rows as arrays to fit on: tasks, who solved them, and how long every call was.

Left out are the rows of `mint-1turn`: the tasks of the `mint-*` workflows with one turn allowed. A text cannot tell
which of the two a request will be, and agents come in workflows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chimera_training.data import (
    PROMPT_OUTCOMES,
    WORKFLOW_TRACES,
    DataError,
    PromptOutcome,
    Workflow,
    read_prompt_outcomes,
    read_workflows,
)
from chimera_training.features import Floats, message_measures, normalise

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Tasks below which no split into training, calibration and held-out tasks says anything.
FEWEST_TASKS = 20

_REPEATED_TASKS = "mint-1turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """T tasks; a task is one text under one id.

    Attributes:
        ids: `task_id` or `prompt_id`.
        texts: As `features.normalise` returns them.
        domain: (T,) index into the names of task sets.
        workflow: (T,) answered by an agent in stages, not by one answer.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    domain: Integers
    workflow: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """N answers or workflows: which task, which model, right or wrong."""

    task: Integers
    model: Integers
    success: Floats

    def of(self, tasks: Mask) -> "Outcomes":
        """Return those of the marked tasks."""
        return self._chosen(tasks[self.task])

    def by(self, model: int) -> "Outcomes":
        """Return those of one model."""
        return self._chosen(self.model == model)

    def _chosen(self, chosen: Mask) -> "Outcomes":
        return Outcomes(task=self.task[chosen], model=self.model[chosen], success=self.success[chosen])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """C calls: what was known when each was made, and what it and the rest of its workflow then took.

    Attributes:
        known: (C, 5) prompt tokens, stage, and output tokens: of earlier stages together, of the last, of the longest.
        messages: (C, 7) `features.message_measures` of the last message.
        stage_tokens: (C,) output tokens of this call.
        remaining_tokens: (C,) output tokens of this and all later calls.
        stages_left: (C,) this and all later calls.
        success: (C,) 1 where the workflow solved its task.
    """

    task: Integers
    model: Integers
    known: Floats
    messages: Floats
    stage_tokens: Floats
    remaining_tokens: Floats
    stages_left: Floats
    success: Floats

    @property
    def stage(self) -> Integers:
        """(C,) index of the call in its workflow."""
        return self.known[:, 1].astype(np.int64)

    def of(self, tasks: Mask) -> "Calls":
        """Return those of the marked tasks."""
        return self.chosen(tasks[self.task])

    def chosen(self, kept: Mask) -> "Calls":
        """Return the marked calls, (C,)."""
        return Calls(
            task=self.task[kept],
            model=self.model[kept],
            known=self.known[kept],
            messages=self.messages[kept],
            stage_tokens=self.stage_tokens[kept],
            remaining_tokens=self.remaining_tokens[kept],
            stages_left=self.stages_left[kept],
            success=self.success[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Everything the predictors are fitted on and measured with.

    Attributes:
        domains: Names of the task sets, sorted.
        models: Names of the models, sorted.
        parameters_b: Billions of parameters of each model; 0 where not published.
    """

    domains: tuple[str, ...]
    models: tuple[str, ...]
    parameters_b: tuple[float, ...]
    tasks: Tasks
    outcomes: Outcomes
    calls: Calls


def read_examples(folder: Path) -> Examples:
    """Read a folder of recorded data.

    Raises:
        DataError: A file breaks a rule, or there are too few tasks.
    """
    return examples(read_prompt_outcomes(folder), read_workflows(folder))


def examples(prompts: Sequence[PromptOutcome], workflows: Sequence[Workflow]) -> Examples:
    """Arrange recorded rows to fit on.

    Raises:
        DataError: There are too few tasks.
    """
    arranged = arrange(prompts, workflows)
    if len(arranged.tasks.ids) < FEWEST_TASKS:
        raise DataError(
            f"{PROMPT_OUTCOMES} and {WORKFLOW_TRACES}: together they must hold {FEWEST_TASKS} tasks or more"
        )
    return arranged


def arrange(prompts: Sequence[PromptOutcome], workflows: Sequence[Workflow]) -> Examples:
    """Arrange recorded rows, however few."""
    asked_once = (row for row in prompts if row.task_set != _REPEATED_TASKS)
    rows = [*map(_of_prompt, asked_once), *map(_of_workflow, workflows)]
    sizes = dict(sorted({row.model: row.parameters_b for row in rows}.items()))
    domains = sorted({row.task.domain for row in rows})
    tasks: dict[_Task, int] = {}
    task = np.array([tasks.setdefault(row.task, len(tasks)) for row in rows], dtype=np.int64)
    numbers = {name: number for number, name in enumerate(sizes)}
    model = np.array([numbers[row.model] for row in rows], dtype=np.int64)
    return Examples(
        domains=tuple(domains),
        models=tuple(sizes),
        parameters_b=tuple(sizes.values()),
        tasks=_tasks(list(tasks), domains),
        outcomes=Outcomes(task=task, model=model, success=np.array([row.success for row in rows], dtype=np.float64)),
        calls=_calls(rows, task, model),
    )


@dataclass(frozen=True, slots=True)
class _Task:
    task_id: str
    text: str
    domain: str
    workflow: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt's answer or a workflow, in the same words."""

    task: _Task
    model: str
    parameters_b: float
    success: bool
    calls: tuple["_Call", ...]


@dataclass(frozen=True, slots=True)
class _Call:
    """`known` and `messages` of `Calls`, then its tokens and those that remain."""

    known: tuple[int, int, int, int, int]
    message: tuple[int, ...]
    output_tokens: int
    remaining_tokens: int


def _of_prompt(row: PromptOutcome) -> _Row:
    task = _Task(row.prompt_id, normalise(row.text), row.task_set, workflow=False)
    call = _Call((row.prompt_tokens, 0, 0, 0, 0), message_measures(""), row.output_tokens, row.output_tokens)
    return _Row(task, row.model, row.parameters_b, row.success, (call,))


def _of_workflow(row: Workflow) -> _Row:
    task = _Task(row.task_id, normalise(row.stages[0].text), row.task_set, workflow=True)
    calls, so_far, last, largest = [], 0, 0, 0
    for number, stage in enumerate(row.stages):
        known = (stage.prompt_tokens, number, so_far, last, largest)
        message = message_measures(normalise(stage.text) if number else "")
        calls.append(_Call(known, message, stage.output_tokens, stage.remaining_tokens))
        last = stage.output_tokens
        so_far, largest = so_far + last, max(largest, last)
    return _Row(task, row.model, row.parameters_b, row.success, tuple(calls))


def _tasks(tasks: Sequence[_Task], domains: Sequence[str]) -> Tasks:
    return Tasks(
        ids=tuple(task.task_id for task in tasks),
        texts=tuple(task.text for task in tasks),
        domain=np.array([domains.index(task.domain) for task in tasks], dtype=np.int64),
        workflow=np.array([task.workflow for task in tasks], dtype=np.bool_),
    )


def _calls(rows: Sequence[_Row], task: Integers, model: Integers) -> Calls:
    counts = [len(row.calls) for row in rows]
    calls = [call for row in rows for call in row.calls]
    return Calls(
        task=np.repeat(task, counts),
        model=np.repeat(model, counts),
        known=np.array([call.known for call in calls], dtype=np.float64),
        messages=np.array([call.message for call in calls], dtype=np.float64),
        stage_tokens=np.array([call.output_tokens for call in calls], dtype=np.float64),
        remaining_tokens=np.array([call.remaining_tokens for call in calls], dtype=np.float64),
        stages_left=np.array([left for count in counts for left in range(count, 0, -1)], dtype=np.float64),
        success=np.repeat([float(row.success) for row in rows], counts),
    )
