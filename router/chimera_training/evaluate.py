"""How good predictions are: calibration and ranking of confidences, errors of lengths.

Confidence is judged for each model on its own (AUC inside a model, then the mean), since mixing models would credit the
predictor for knowing which model is the best one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from chimera_training.bundle import ConfidenceFigures, LengthFigures
from chimera_training.calibration import calibration_error
from chimera_training.examples import Calls, Examples, Integers, Mask, Outcomes
from chimera_training.features import Floats
from chimera_training.resampling import certain, estimate, mean, mean_area, rank_correlation, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReplicates:
    """What one fit's confidences were worth in one group of tasks, under every row of weights.

    Attributes:
        tasks: Measured on.
        outcomes: Measured on.
        auc: (rows,) mean area over the models that have one; NaN where none has.
        brier: (rows,).
        brier_constant: If every model's own success rate in the group were the confidence.
        calibration_error: Expected, over ten equal bins.
    """

    tasks: int
    outcomes: int
    auc: Floats
    brier: Floats
    brier_constant: float
    calibration_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthReplicates:
    """What one fit's lengths were worth in one group of calls, under every row of weights.

    Attributes:
        calls: Measured on.
        spearman: (rows,); NaN where truth or prediction is the same throughout.
        kendall: tau-b; NaN likewise.
        mean_error: (rows,) in tokens.
        mean_tokens: Of the truth.
        coverage: (rows,) share of truths at or below the .9 quantile; NaN without one.
    """

    calls: int
    spearman: Floats
    kendall: float
    mean_error: Floats
    mean_tokens: float
    coverage: Floats


def confidence_replicates(outcomes: Outcomes, predicted: Floats, weights: Floats) -> ConfidenceReplicates:
    """Return how well confidences told right from wrong.

    Args:
        outcomes: At least one.
        predicted: One for each outcome.
        weights: (rows, tasks) as `resampling.task_weights` gives them.
    """
    task, success = outcomes.task, outcomes.success
    return ConfidenceReplicates(
        tasks=len(np.unique(task)),
        outcomes=len(predicted),
        auc=mean_area(weights, task, outcomes.model, success, predicted),
        brier=mean(weights, task, (predicted - success) ** 2),
        brier_constant=float(((_success_rates(outcomes) - success) ** 2).mean()),
        calibration_error=calibration_error(predicted, success),
    )


def length_replicates(
    task: Integers, truth: Floats, median: Floats, weights: Floats, *, covered: Mask | None = None
) -> LengthReplicates:
    """Return how well lengths were predicted.

    Args:
        task: (calls,) of each call, at least one.
        truth: (calls,) tokens.
        median: (calls,) tokens predicted.
        weights: (rows, tasks) as `resampling.task_weights` gives them.
        covered: (calls,) whether the truth lies at or below the .9 quantile; None where there is none.
    """
    varied = np.ptp(truth) > 0 and np.ptp(median) > 0
    nothing = np.full(len(weights), np.nan)
    return LengthReplicates(
        calls=len(truth),
        spearman=rank_correlation(weights, task, median, truth) if varied else nothing,
        kendall=float(stats.kendalltau(median, truth).statistic) if varied else float("nan"),
        mean_error=mean(weights, task, np.abs(median - truth)),
        mean_tokens=float(truth.mean()),
        coverage=nothing if covered is None else mean(weights, task, covered.astype(np.float64)),
    )


def confidence_figures(name: str, fits: Sequence[ConfidenceReplicates]) -> ConfidenceFigures:
    """Return the figures of one group over one or more fits."""
    return ConfidenceFigures(
        name=name,
        tasks=round(np.mean([fit.tasks for fit in fits])),
        outcomes=round(np.mean([fit.outcomes for fit in fits])),
        auc=estimate([fit.auc for fit in fits]),
        brier=certain([fit.brier for fit in fits]),
        brier_constant=rounded(float(np.mean([fit.brier_constant for fit in fits]))),
        calibration_error=rounded(float(np.mean([fit.calibration_error for fit in fits]))),
    )


def length_figures(name: str, target: str, fits: Sequence[LengthReplicates]) -> LengthFigures:
    """Return the figures of one group over one or more fits."""
    ordered = [fit.kendall for fit in fits if np.isfinite(fit.kendall)]
    return LengthFigures(
        name=name,
        target=target,
        calls=round(np.mean([fit.calls for fit in fits])),
        spearman=estimate([fit.spearman for fit in fits]),
        kendall=rounded(float(np.mean(ordered))) if ordered else None,
        mean_error=certain([fit.mean_error for fit in fits]),
        mean_tokens=rounded(float(np.mean([fit.mean_tokens for fit in fits]))),
        coverage=estimate([fit.coverage for fit in fits]),
    )


def task_groups(examples: Examples, held_out: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield the groups that figures are given for, those with held-out tasks: a name and a mask over all tasks."""
    tasks = examples.tasks
    groups = {"all": np.ones_like(tasks.workflow), "prompts": ~tasks.workflow, "workflows": tasks.workflow}
    groups |= {name: tasks.domain == number for number, name in enumerate(examples.domains)}
    return ((name, group & held_out) for name, group in groups.items() if (group & held_out).any())


def call_groups(examples: Examples, calls: Calls, held_out: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield the same groups over calls, and the first calls of workflows."""
    for name, tasks in task_groups(examples, held_out):
        yield name, tasks[calls.task]
        if name == "workflows":
            yield "workflows at stage 0", tasks[calls.task] & (calls.stage == 0)


def areas_by_model(outcomes: Outcomes, predicted: Floats) -> dict[int, float | None]:
    """Return the area under the ROC curve inside each model; None for one that is always right or always wrong."""
    own = {int(model): outcomes.model == model for model in np.unique(outcomes.model)}
    return {model: _area(outcomes.success[chosen], predicted[chosen]) for model, chosen in own.items()}


def _area(success: Floats, predicted: Floats) -> float | None:
    return float(roc_auc_score(success, predicted)) if 0 < success.mean() < 1 else None


def _success_rates(outcomes: Outcomes) -> Floats:
    """Return the success rate of each outcome's model."""
    right = np.bincount(outcomes.model, outcomes.success)
    rates: Floats = right / np.bincount(outcomes.model).clip(min=1)
    return rates[outcomes.model]
