"""What is foreseen of every task that a replay sends: by a bundle, by averages, or truly.

A bundle's graphs run once, in batches, over what was recorded: at each stage they are told what the picker would know
there, had the model answered all stages before. The application of a call is its task set, as of clients that name
theirs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from statistics import fmean, median

from chimera_bench.recorded_predictions import predict_examples
from chimera_bench.workload import Task
from chimera_router.prediction.bundle import Bundle
from chimera_router.scheduling.types import ModelPrediction, Predictions, PredictionSource
from chimera_training.data import DataError, Stage, Workflow
from chimera_training.examples import arrange

# Of one model's run on one task, a prediction for each stage.
Run = tuple[ModelPrediction, ...]


@dataclass(frozen=True, slots=True)
class Foresight:
    """Predictions for every stage of every task.

    Attributes:
        runs: By task id and by the model's name in the pool.
    """

    runs: Mapping[str, Mapping[str, Run]]

    def of(self, task_id: str, stage: int) -> Predictions:
        """Return one prediction for each model; of a model whose run was shorter, that for its last stage.

        Raises:
            KeyError: The task is none of those foreseen.
        """
        by_model = {model: run[min(stage, len(run) - 1)] for model, run in self.runs[task_id].items()}
        return Predictions(by_model=by_model, source=PredictionSource.BUNDLE)

    def with_confidence_of(self, other: "Foresight") -> "Foresight":
        """Return these lengths beside another's confidences."""
        return Foresight(
            {
                task_id: {model: _confident(run, other.runs[task_id][model]) for model, run in runs.items()}
                for task_id, runs in self.runs.items()
            }
        )


def predicted(bundle: Bundle, tasks: Sequence[Task], *, on_done: Callable[[int], None] = lambda _: None) -> Foresight:
    """Return what a bundle predicts.

    Args:
        bundle: Read and checked.
        tasks: What will be replayed.
        on_done: Told after every batch how many tasks and calls it held.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
        DataError: The bundle does not know a model.
    """
    runs = [(task, model, run) for task in tasks for model, run in task.runs.items()]
    known = {model.name for model in bundle.manifest.models}
    if unknown := sorted({run.model for _, _, run in runs} - known):
        raise DataError(f"{bundle.folder}: the bundle does not know model {unknown[0]!r}")
    examples = arrange([], [run for _, _, run in runs])
    answers = predict_examples(bundle, examples, on_done=on_done)
    calls = iter(answers.tokens[:2].T.tolist())
    confidences = answers.confidence[examples.outcomes.task, examples.outcomes.model].tolist()
    return _gathered(
        (task.task_id, model, tuple(_prediction(confidence, *next(calls)) for _ in run.stages))
        for (task, model, run), confidence in zip(runs, confidences, strict=True)
    )


def true(tasks: Iterable[Task]) -> Foresight:
    """Return what came true: the recorded tokens, and confidence 1 or 0 as the recorded run was right or wrong."""
    return _gathered((task.task_id, model, _truth(run)) for task in tasks for model, run in task.runs.items())


def averages(tasks: Iterable[Task], *, training: Sequence[Task]) -> Foresight:
    """Return what is known without looking at the task: each model's share of right answers and its median lengths.

    Args:
        tasks: What will be replayed.
        training: Where each model's share and, by stage, its medians are taken from.

    Raises:
        DataError: There is no such task.
    """
    if not training:
        raise DataError("averages need a task that is not replayed")
    of_model = {model: _average([task.runs[model] for task in training]) for model in training[0].runs}
    return _gathered((task.task_id, model, run) for task in tasks for model, run in of_model.items())


def _gathered(rows: Iterable[tuple[str, str, Run]]) -> Foresight:
    by_task = groupby(rows, key=itemgetter(0))
    return Foresight({task_id: {model: run for _, model, run in of_task} for task_id, of_task in by_task})


def _prediction(confidence: float, stage: float, remaining: float) -> ModelPrediction:
    return ModelPrediction(confidence=confidence, stage_tokens=stage, remaining_tokens=remaining)


def _truth(run: Workflow) -> Run:
    return tuple(_prediction(float(run.success), stage.output_tokens, stage.remaining_tokens) for stage in run.stages)


def _average(runs: Sequence[Workflow]) -> Run:
    confidence = fmean(run.success for run in runs)
    longest = max(len(run.stages) for run in runs)
    stages = ([run.stages[number] for run in runs if number < len(run.stages)] for number in range(longest))
    return tuple(_typical(confidence, reached) for reached in stages)


def _typical(confidence: float, stages: Sequence[Stage]) -> ModelPrediction:
    return _prediction(
        confidence,
        median(stage.output_tokens for stage in stages),
        median(stage.remaining_tokens for stage in stages),
    )


def _confident(run: Run, other: Run) -> Run:
    return tuple(replace(prediction, confidence=other[0].confidence) for prediction in run)
