"""How good a bundle is on tasks it has not seen: calibration and ranking of confidences, errors of lengths.

Confidence is judged for each model on its own (AUC inside a model, then the mean), since mixing models would credit the
predictor for knowing which model is the best one.
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from chimera_training.bundle import ConfidenceFigures, Figures, LengthFigures
from chimera_training.calibration import calibration_error
from chimera_training.examples import Calls, Examples, Mask, Outcomes
from chimera_training.features import Floats
from chimera_training.fitting import Predictors
from chimera_training.length import call_rows

_DIGITS = 4  # of a figure; the last is noise already


def evaluate(examples: Examples, predictors: Predictors, held_out: Mask, *, share: float) -> Figures:
    """Return the figures of predictors on tasks that they were not fitted on.

    Args:
        examples: Recorded rows.
        predictors: Fitted on other tasks.
        held_out: (tasks,) those to measure on.
        share: Of all tasks, that was held out.
    """
    confidence, lengths = predictors.confidence, predictors.lengths
    outcomes = examples.outcomes.of(held_out)
    predicted = confidence.confidence(predictors.readings)[outcomes.task, outcomes.model]
    calls = examples.calls.of(held_out)
    rows = call_rows(examples, calls, predictors.length_readings, lengths.traits)
    stage = np.expm1(lengths.stage.predict(rows))
    remaining = np.expm1(lengths.remaining.predict(rows))
    high = np.expm1(lengths.remaining_high.predict(rows) + lengths.high_shift)
    return Figures(
        held_out_share=share,
        confidence=tuple(
            confidence_figures(name, outcomes.of(tasks), predicted[tasks[outcomes.task]])
            for name, tasks in _sets(examples, held_out)
        ),
        length=tuple(
            figures
            for name, chosen in _call_sets(examples, calls, held_out)
            for figures in (
                length_figures(name, "stage", calls.stage_tokens[chosen], stage[chosen]),
                length_figures(name, "remaining", calls.remaining_tokens[chosen], remaining[chosen], high[chosen]),
            )
        ),
    )


def confidence_figures(task_set: str, outcomes: Outcomes, predicted: Floats) -> ConfidenceFigures:
    """Return how well confidences, one for each outcome, told right from wrong."""
    return ConfidenceFigures(
        task_set=task_set,
        tasks=len(np.unique(outcomes.task)),
        outcomes=len(predicted),
        auc=_mean_auc(outcomes, predicted),
        brier=_rounded(((predicted - outcomes.success) ** 2).mean()),
        brier_constant=_rounded(((_success_rates(outcomes) - outcomes.success) ** 2).mean()),
        calibration_error=_rounded(calibration_error(predicted, outcomes.success)),
    )


def length_figures(
    task_set: str, target: str, truth: Floats, median: Floats, high: Floats | None = None
) -> LengthFigures:
    """Return how well lengths, one for each call, were predicted."""
    varied = np.ptp(truth) > 0 and np.ptp(median) > 0
    return LengthFigures(
        task_set=task_set,
        target=target,
        calls=len(truth),
        spearman=_rounded(stats.spearmanr(median, truth).statistic) if varied else None,
        kendall=_rounded(stats.kendalltau(median, truth).statistic) if varied else None,
        mean_error=_rounded(np.abs(median - truth).mean()),
        mean_tokens=_rounded(truth.mean()),
        coverage=None if high is None else _rounded((truth <= high).mean()),
    )


def _sets(examples: Examples, held_out: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield the groups that figures are given for, those with held-out tasks: a name and a mask over all tasks."""
    tasks = examples.tasks
    groups = {"all": np.ones_like(tasks.workflow), "prompts": ~tasks.workflow, "workflows": tasks.workflow}
    groups |= {name: tasks.domain == number for number, name in enumerate(examples.domains)}
    return ((name, group & held_out) for name, group in groups.items() if (group & held_out).any())


def _call_sets(examples: Examples, calls: Calls, held_out: Mask) -> Iterator[tuple[str, Mask]]:
    for name, tasks in _sets(examples, held_out):
        yield name, tasks[calls.task]
        if name == "workflows":
            yield "workflows at stage 0", tasks[calls.task] & (calls.stage == 0)


def areas_by_model(outcomes: Outcomes, predicted: Floats) -> dict[int, float | None]:
    """Return the area under the ROC curve inside each model; None for one that is always right or always wrong."""
    own = {int(model): outcomes.model == model for model in np.unique(outcomes.model)}
    return {model: _area(outcomes.success[chosen], predicted[chosen]) for model, chosen in own.items()}


def _area(success: Floats, predicted: Floats) -> float | None:
    return float(roc_auc_score(success, predicted)) if 0 < success.mean() < 1 else None


def _mean_auc(outcomes: Outcomes, predicted: Floats) -> float | None:
    areas = [area for area in areas_by_model(outcomes, predicted).values() if area is not None]
    return _rounded(sum(areas) / len(areas)) if areas else None


def _success_rates(outcomes: Outcomes) -> Floats:
    """Return the success rate of each outcome's model."""
    right = np.bincount(outcomes.model, outcomes.success)
    rates: Floats = right / np.bincount(outcomes.model).clip(min=1)
    return rates[outcomes.model]


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)
