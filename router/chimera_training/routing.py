"""What routing by confidence earns: a pool's figures, from who answered which task right.

The scores take a table of successes and, where they follow the predictor, the confidences, both (tasks, models).
"""

import msgspec
import numpy as np

from chimera_training.evaluate import areas_by_model, confidence_figures, confidence_replicates
from chimera_training.examples import Examples
from chimera_training.features import Floats
from chimera_training.pools import Pool, common_outcomes, successes
from chimera_training.resampling import DIGITS


class PoolFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well confidences tell right from wrong, and what routing by them earns.

    Attributes:
        auc_mean: Mean of `auc` over the models that have one.
        auc: Area under the ROC curve of each model; None where it is always right or always wrong.
        brier: Mean squared error of the confidence.
        brier_constant: The same if every model's own success rate in the pool were the confidence.
        ece: Expected calibration error over ten equal bins.
        apgr: Average performance gap recovered; None where the large model is no better than the small one.
        argmax_score: Score if every task goes to the most confident model.
        best_single_score: Score of the best model alone.
        oracle_score: Score of choosing a right model wherever there is one.
        n: Tasks.
        auc_mean_interval: 95 %, by bootstrap over the tasks; None where there is no area.
        brier_interval: The same.
    """

    auc_mean: float | None
    auc: dict[str, float | None]
    brier: float
    brier_constant: float
    ece: float
    apgr: float | None
    argmax_score: float
    best_single_score: float
    oracle_score: float
    n: int
    auc_mean_interval: tuple[float, float] | None
    brier_interval: tuple[float, float]


def best_single_score(success: Floats) -> float:
    """Return the share of right answers of the one model that answers most tasks right."""
    return float(success.mean(axis=0).max())


def oracle_score(success: Floats) -> float:
    """Return the share of right answers if every task went to a model that answers it right, where there is one."""
    return float(success.max(axis=1).mean())


def argmax_score(success: Floats, confidence: Floats) -> float:
    """Return the share of right answers if every task went to its most confident model; of equals, to the first."""
    chosen = confidence.argmax(axis=1)[:, None]
    return float(np.take_along_axis(success, chosen, axis=1).mean())


def apgr(gain: Floats, predicted_gain: Floats) -> float | None:
    """Return the average performance gap recovered between a small and a large model.

    Tasks move from the small to the large model in the order of predicted gain; the share of the gap between the two
    scores that is closed is averaged over the share of tasks moved (Ong et al., "RouteLLM", 2024). A random order
    recovers 0.5; an order better than the large model alone may pass 1 on its way.

    Args:
        gain: (tasks,) success of the large model less that of the small one.
        predicted_gain: (tasks,) the same of their confidences; tasks of equal value move in random order.

    Returns:
        The area by the trapezoid rule; None where the large model's score is not above the small one's.
    """
    if gain.sum() <= 0:
        return None
    _, group = np.unique(-predicted_gain, return_inverse=True)
    expected = np.bincount(group, gain) / np.bincount(group)
    recovered = np.cumsum(np.append(0.0, expected[np.sort(group)])) / gain.sum()
    return float(np.trapezoid(recovered, dx=1 / len(gain)))


def pool_figures(pool: Pool, examples: Examples, confidence: Floats, weights: Floats) -> PoolFigures:
    """Return the figures of one pool.

    Args:
        pool: Of models and task sets that the examples hold.
        examples: What came true.
        confidence: (tasks, models) of the examples.
        weights: (rows, tasks) as `resampling.task_weights` gives them.

    Raises:
        DataError: No task was answered by all models of the pool.
    """
    columns = pool.columns(examples)
    outcomes = common_outcomes(pool, examples)
    predicted = confidence[outcomes.task, outcomes.model]
    figures = confidence_figures(pool.name, [confidence_replicates(outcomes, predicted, weights)])
    areas = areas_by_model(outcomes, predicted)
    tasks, success = successes(outcomes, columns)
    chances = confidence[np.ix_(tasks, np.array(columns))]
    small, large = (pool.models.index(end) for end in pool.ends)
    return PoolFigures(
        auc_mean=figures.auc.value if figures.auc else None,
        auc_mean_interval=figures.auc.interval if figures.auc else None,
        auc={examples.models[column]: _rounded(areas[column]) for column in columns},
        brier=figures.brier.value,
        brier_interval=figures.brier.interval,
        brier_constant=figures.brier_constant,
        ece=figures.calibration_error,
        apgr=_rounded(apgr(success[:, large] - success[:, small], chances[:, large] - chances[:, small])),
        argmax_score=round(argmax_score(success, chances), DIGITS),
        best_single_score=round(best_single_score(success), DIGITS),
        oracle_score=round(oracle_score(success), DIGITS),
        n=len(tasks),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
