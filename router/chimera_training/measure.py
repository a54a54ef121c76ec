"""How good a bundle is on recorded answers and calls: confidences by pool of models, lengths by task set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from chimera_training.bundle import TrainedModel
from chimera_training.evaluate import length_figures, length_replicates
from chimera_training.examples import Examples, Integers, Mask
from chimera_training.features import Floats
from chimera_training.pools import Pool
from chimera_training.resampling import certain, task_weights
from chimera_training.routing import PoolFigures, pool_figures
from chimera_training.unseen import UnseenFigures, unseen_figures


class TokenFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well lengths are predicted.

    Attributes:
        spearman: Rank correlation of median and truth; None where either is the same throughout.
        kendall: Kendall's tau-b of the same.
        mae: Mean absolute error of the median, in tokens.
        coverage90: Share of truths that lie at or below the .9 quantile.
        n: Calls.
        spearman_interval: 95 %, by bootstrap over the tasks; None where there is no correlation.
        mae_interval: The same.
        coverage90_interval: The same.
    """

    spearman: float | None
    kendall: float | None
    mae: float
    coverage90: float
    n: int
    spearman_interval: tuple[float, float] | None
    mae_interval: tuple[float, float]
    coverage90_interval: tuple[float, float]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one bundle on one folder of data.

    Attributes:
        confidence: By pool.
        unseen_model: By pool, of those with tasks enough.
        length: Tokens of one call, by task set and of `all`.
        remaining: Tokens of this and all later calls of a workflow: `all` calls, and those of the `first_stage`.
    """

    confidence: dict[str, PoolFigures]
    unseen_model: dict[str, UnseenFigures]
    length: dict[str, TokenFigures]
    remaining: dict[str, TokenFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What a bundle made of the examples.

    Attributes:
        readings: (tasks, readings) what was read.
        confidence: (tasks, models) chance of a right answer.
        tokens: (3, calls) of this call, of the rest of the workflow, of the rest at the .9 quantile.
        stage_high: (calls,) of this call at the .9 quantile.
    """

    readings: Floats
    confidence: Floats
    tokens: Floats
    stage_high: Floats


def measure(
    examples: Examples, predicted: Predicted, pools: Sequence[Pool], models: Sequence[TrainedModel]
) -> Measurement:
    """Return the figures of these predictions.

    Args:
        examples: What came true.
        predicted: In the order of the examples.
        pools: Of models and task sets that the examples hold.
        models: Of the bundle.

    Raises:
        DataError: No task was answered by all models of a pool.
    """
    calls, tokens, weights = examples.calls, predicted.tokens, task_weights(len(examples.tasks.ids))
    stage_covered = calls.stage_tokens <= predicted.stage_high
    stage = _Lengths(calls.task, calls.stage_tokens, tokens[0], stage_covered, weights)
    remaining = _Lengths(calls.task, calls.remaining_tokens, tokens[1], calls.remaining_tokens <= tokens[2], weights)
    placed = {pool.name: unseen_figures(pool, examples, predicted.readings, models, weights) for pool in pools}
    return Measurement(
        confidence={pool.name: pool_figures(pool, examples, predicted.confidence, weights) for pool in pools},
        unseen_model={name: figures for name, figures in placed.items() if figures is not None},
        length={name: stage.figures(chosen) for name, chosen in _task_sets(examples) if chosen.any()},
        remaining={name: remaining.figures(chosen) for name, chosen in _stages(examples) if chosen.any()},
    )


@dataclass(frozen=True, slots=True)
class _Lengths:
    """Tokens that calls took, what was predicted, and whether the .9 quantile covered them; each (calls,)."""

    task: Integers
    truth: Floats
    median: Floats
    covered: Mask
    weights: Floats

    def figures(self, calls: Mask) -> TokenFigures:
        replicates = length_replicates(
            self.task[calls], self.truth[calls], self.median[calls], self.weights, covered=self.covered[calls]
        )
        figures = length_figures("calls", "tokens", [replicates])
        coverage = certain([replicates.coverage])
        return TokenFigures(
            spearman=figures.spearman.value if figures.spearman else None,
            spearman_interval=figures.spearman.interval if figures.spearman else None,
            kendall=figures.kendall,
            mae=figures.mean_error.value,
            mae_interval=figures.mean_error.interval,
            coverage90=coverage.value,
            coverage90_interval=coverage.interval,
            n=figures.calls,
        )


def _task_sets(examples: Examples) -> Iterator[tuple[str, Mask]]:
    domain = examples.tasks.domain[examples.calls.task]
    yield from ((name, domain == number) for number, name in enumerate(examples.domains))
    yield "all", np.ones(len(domain), dtype=np.bool_)


def _stages(examples: Examples) -> Iterator[tuple[str, Mask]]:
    workflow = examples.tasks.workflow[examples.calls.task]
    yield "all", workflow
    yield "first_stage", workflow & (examples.calls.stage == 0)
