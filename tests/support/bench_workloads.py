"""Small workloads with numbers that can be followed."""

from chimera_bench.workload import Arrival, Task
from chimera_training.data import Stage, Workflow


def run(
    model: str, outputs: tuple[int, ...], *, task: str = "t", success: bool = True, trial: int = 0, prompt: int = 100
) -> Workflow:
    """Return a recorded run; the message before stage i is `task` at first and `<model> says i` later."""
    stages = tuple(
        Stage(
            text=f"task {task}" if index == 0 else f"{model} says {index}",
            prompt_tokens=prompt * (index + 1),
            output_tokens=tokens,
            remaining_tokens=sum(outputs[index:]),
        )
        for index, tokens in enumerate(outputs)
    )
    return Workflow(
        workflow_id=f"{task}|{model}|{trial}",
        task_set="set",
        task_id=task,
        agent="react-tool",
        model=model,
        parameters_b=1.0,
        trial=trial,
        success=success,
        stages=stages,
    )


def task(*runs: Workflow) -> Task:
    """Return the task of these runs, whose models keep their recorded names."""
    return Task(task_id=runs[0].task_id, text=runs[0].stages[0].text, runs={item.model: item for item in runs})


def at(moment: float, *runs: Workflow) -> Arrival:
    return Arrival(at=moment, task=task(*runs))
