"""The tasks of a serving pool: what all of its models were recorded on, on either side of a bundle's split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chimera_bench.serving import ServingPool
from chimera_bench.workload import Task, common_tasks, saturation_rate
from chimera_training.data import DataError, PromptOutcome, Stage, Workflow, read_prompt_outcomes, read_workflows
from chimera_training.split import held_out


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTasks:
    """The tasks of a pool, in order of their ids.

    Attributes:
        unseen: That a bundle was not trained on: what is replayed.
        training: All others: what may be known beforehand.
    """

    unseen: tuple[Task, ...]
    training: tuple[Task, ...]


def read_pool_tasks(pool: ServingPool, folder: Path, *, held_out_share: float) -> PoolTasks:
    """Read the tasks that every model of a pool was recorded on; of several trials of a model the first counts.

    Args:
        pool: Whose models and task sets.
        folder: Recorded data.
        held_out_share: Share of tasks that the bundle kept out of its training.

    Raises:
        DataError: A file of the folder is missing or breaks a rule, or no task is left to replay.
    """
    tasks = common_tasks(_runs(pool, folder), {model: model for model in pool.models})
    unseen = {task.task_id for task in tasks if held_out(task.task_id, share=held_out_share)}
    if not unseen:
        raise DataError(
            f"{folder}: pool {pool.name}: there is no task that all of its models answered and none trained"
        )
    return PoolTasks(
        unseen=tuple(task for task in tasks if task.task_id in unseen),
        training=tuple(task for task in tasks if task.task_id not in unseen),
    )


def arrival_rate(pool: ServingPool, tasks: Sequence[Task], *, load: float) -> float:
    """Return the workflows a second that are this load: 1.0 saturates the slowest engine under blind round robin."""
    return load * pool.endpoints * saturation_rate(tasks, pool.coefficients)


def _runs(pool: ServingPool, folder: Path) -> list[Workflow]:
    models = set(pool.models)
    runs = (
        read_workflows(folder, models=models)
        if pool.file == "workflow_traces"
        else map(as_workflow, read_prompt_outcomes(folder, models=models))
    )
    return [run for run in runs if run.task_set in pool.task_sets]


def as_workflow(outcome: PromptOutcome) -> Workflow:
    """Return an answer to a prompt as a workflow of one stage; every answer has a token at least, as engines count."""
    stage = Stage(
        text=outcome.text,
        prompt_tokens=max(1, outcome.prompt_tokens),
        output_tokens=max(1, outcome.output_tokens),
        remaining_tokens=max(1, outcome.output_tokens),
    )
    return Workflow(
        workflow_id=f"{outcome.prompt_id}|{outcome.model}",
        task_set=outcome.task_set,
        task_id=outcome.prompt_id,
        agent="",
        model=outcome.model,
        parameters_b=outcome.parameters_b,
        trial=0,
        success=outcome.success,
        stages=(stage,),
    )
