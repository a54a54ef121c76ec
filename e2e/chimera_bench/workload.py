"""Workloads from measured data: tasks that every model of a pool was recorded on, arriving as real requests did."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from pathlib import Path
from statistics import fmean

from chimera_bench.filler import estimated_tokens
from chimera_router.scheduling.types import Coefficients
from chimera_training.data import Workflow, read_arrivals, read_workflows
from chimera_training.split import held_out

# Conversations, as users of a public service began them: gaps with a coefficient of variation of 1.1.
TRACE = "azure-2023-conv"

# Agents that talk to a simulated person are recorded for one model only.
AGENT = "react-tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to solve, with what each model of the pool made of it.

    Attributes:
        task_id: Stable id in the recorded data.
        text: What the user asks.
        runs: The recorded run of each model, by its name in the pool.
    """

    task_id: str
    text: str
    runs: Mapping[str, Workflow]

    @property
    def task_set(self) -> str:
        """Where the task comes from, as the recorded data names it."""
        return next(iter(self.runs.values())).task_set

    @property
    def preamble_tokens(self) -> int:
        """Tokens of the first prompt besides the task: instructions and a worked example, which nobody stored."""
        prompt = fmean(run.stages[0].prompt_tokens for run in self.runs.values())
        return max(0, round(prompt) - estimated_tokens(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A task that somebody begins.

    Attributes:
        at: Seconds after the first one.
        repetition: How often the task came before in the workload.
    """

    at: float
    task: Task
    repetition: int = 0


def read_tasks(folder: Path, models: Mapping[str, str]) -> list[Task]:
    """Read the tasks that every model was recorded on, in order of their ids.

    Of these only the ones that are held out: predictors were not trained on their answers.

    Args:
        folder: Recorded data.
        models: Name in the recorded data by name in the pool.

    Raises:
        DataError: A file of the folder is missing or breaks a rule.
    """
    runs = read_workflows(folder, models=set(models.values()))
    return tasks_of((run for run in runs if held_out(run.task_id)), models)


def tasks_of(workflows: Iterable[Workflow], models: Mapping[str, str]) -> list[Task]:
    """Return the `common_tasks` of the agents that need nobody to talk to."""
    return common_tasks((run for run in workflows if run.agent == AGENT), models)


def common_tasks(workflows: Iterable[Workflow], models: Mapping[str, str]) -> list[Task]:
    """Return the tasks that every model was recorded on, in order of their ids; of several trials the first counts.

    Args:
        workflows: Runs of any models.
        models: Name in the recorded data by name in the pool.
    """
    runs_of: dict[str, dict[str, Workflow]] = {}
    for run in sorted(workflows, key=lambda run: (run.task_id, run.trial)):
        runs_of.setdefault(run.task_id, {}).setdefault(run.model, run)
    return [
        Task(
            task_id=task_id,
            text=runs[next(iter(models.values()))].stages[0].text,
            runs={name: runs[recorded] for name, recorded in models.items()},
        )
        for task_id, runs in runs_of.items()
        if set(models.values()) <= runs.keys()
    ]


def saturation_rate(tasks: Sequence[Task], coefficients: Mapping[str, Coefficients]) -> float:
    """Return the workflows a second at which blind round robin saturates its slowest engine: load 1.0.

    Round robin draws a model for each workflow and keeps it. An engine with mean workflow output S, mean workflow
    prompt N and a batch of b serves a workflow each `S·(b0 + b2·b)/b + N·c` seconds, where b is what its slots and its
    KV cache hold; N counts every prompt whole, as if no prefix were cached.

    Args:
        tasks: What arrives, at least one task.
        coefficients: Of each model's one engine, by the model's name in the pool.
    """
    slowest = max(_seconds_each([task.runs[model] for task in tasks], engine) for model, engine in coefficients.items())
    return len(coefficients) / slowest


def summed_capacity(tasks: Sequence[Task], coefficients: Mapping[str, Coefficients]) -> float:
    """Return the workflows a second that all engines together would serve, each busy with all its might.

    Args:
        tasks: What arrives, at least one task.
        coefficients: Of each model's one engine, by the model's name in the pool.
    """
    return sum(1.0 / _seconds_each([task.runs[model] for task in tasks], each) for model, each in coefficients.items())


def _seconds_each(runs: Sequence[Workflow], engine: Coefficients) -> float:
    output = fmean(sum(stage.output_tokens for stage in run.stages) for run in runs)
    prompt = fmean(sum(stage.prompt_tokens for stage in run.stages) for run in runs)
    context = fmean(max(stage.prompt_tokens + stage.output_tokens for stage in run.stages) for run in runs)
    batch = min(engine.max_num_seqs, engine.kv_tokens / context)
    return output * engine.step(batch) / batch + prompt * engine.prefill_per_token


def read_gaps(folder: Path, trace: str = TRACE) -> list[float]:
    """Read the seconds between one request of a trace and the next.

    Raises:
        DataError: The file is missing or breaks a rule.
    """
    return [later.seconds - earlier.seconds for earlier, later in pairwise(read_arrivals(folder, trace))]


def arrivals(tasks: Sequence[Task], gaps: Sequence[float], *, count: int, rate: float, seed: int) -> list[Arrival]:
    """Return a workload: tasks in random order, at times that a stretch of the trace gives.

    The stretch is scaled as a whole, so its bursts stay. Every task comes once before any comes again.

    Args:
        tasks: What may arrive, at least one task.
        gaps: Seconds between requests of the trace, more than `count` of them.
        count: Workflows, at least 1.
        rate: Workflows a second over the whole workload.
        seed: Of the order and of where in the trace the stretch begins; equal seeds give equal workloads.
    """
    draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
    start = draw.randrange(len(gaps) - count)
    times = _scaled(gaps[start : start + count - 1], mean=1.0 / rate)
    return _at(times, tasks, count, draw)


def poisson(tasks: Sequence[Task], *, count: int, rate: float, seed: int) -> list[Arrival]:
    """Return a workload: tasks in random order, at the times of a Poisson process.

    Every task comes once before any comes again.

    Args:
        tasks: What may arrive, at least one task.
        count: Workflows, at least 1.
        rate: Workflows a second.
        seed: Of the order and of the times; equal seeds give equal workloads.
    """
    draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
    times = accumulate((draw.expovariate(rate) for _ in range(count - 1)), initial=0.0)
    return _at(times, tasks, count, draw)


def _at(times: Iterable[float], tasks: Sequence[Task], count: int, draw: random.Random) -> list[Arrival]:
    return [
        Arrival(at=at, task=task, repetition=index // len(tasks))
        for index, (at, task) in enumerate(zip(times, _order(tasks, count, draw), strict=True))
    ]


def _scaled(gaps: Sequence[float], *, mean: float) -> list[float]:
    """Return the times that begin at 0 and lie these gaps apart, once their mean is as wished."""
    factor = mean / fmean(gaps) if gaps else 0.0
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap * factor)
    return times


def _order(tasks: Sequence[Task], count: int, draw: random.Random) -> list[Task]:
    order: list[Task] = []
    while len(order) < count:
        order.extend(draw.sample(tasks, len(tasks)))
    return list(islice(order, count))
