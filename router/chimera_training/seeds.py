"""The figures of a bundle: predictors fitted on several splits of the tasks, each measured on its other side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from chimera_training.bundle import ConfidenceFigures, Figures, TrainedModel
from chimera_training.evaluate import (
    ConfidenceReplicates,
    LengthReplicates,
    call_groups,
    confidence_figures,
    confidence_replicates,
    length_figures,
    length_replicates,
    task_groups,
)
from chimera_training.examples import Examples, Integers, Mask
from chimera_training.features import Floats
from chimera_training.fitting import Predictors
from chimera_training.length import applications, call_rows
from chimera_training.pools import Pool, common_outcomes
from chimera_training.unseen import unseen_replicates

Replicates = TypeVar("Replicates", ConfidenceReplicates, LengthReplicates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one fit was worth on the tasks held out of it, under every row of weights.

    Attributes:
        confidence: By group of tasks.
        pools: By pool, on the tasks that all of its models answered; a pool without such held-out tasks is missing.
        unseen_models: By pool, with each model's head set aside; a pool with too few tasks is missing.
        length: By group of calls and target.
    """

    confidence: dict[str, ConfidenceReplicates]
    pools: dict[str, ConfidenceReplicates]
    unseen_models: dict[str, ConfidenceReplicates]
    length: dict[tuple[str, str], LengthReplicates]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Measures any fit on the same examples and the same resamples.

    Attributes:
        examples: Recorded rows.
        pools: Of models and task sets that the examples hold.
        weights: (rows, tasks) as `resampling.task_weights` gives them.
    """

    examples: Examples
    pools: Sequence[Pool]
    weights: Floats

    def measure(self, predictors: Predictors, models: Sequence[TrainedModel], held_out: Mask) -> Measured:
        """Measure one fit.

        Args:
            predictors: Fitted on other tasks.
            models: The same fit's, in the order of the examples.
            held_out: (tasks,) those to measure on.
        """
        chances = predictors.confidence.confidence(predictors.readings)
        readings = predictors.readings
        pools = [pool for pool in self.pools if common_outcomes(pool, self.examples).of(held_out).task.size]
        unseen = {
            pool.name: unseen_replicates(pool, self.examples, readings, models, weights=self.weights, asked=held_out)
            for pool in pools
        }
        return Measured(
            confidence=dict(self._confidence(chances, held_out)),
            pools={pool.name: self._pool(pool, chances, held_out) for pool in pools},
            unseen_models={name: replicates for name, replicates in unseen.items() if replicates is not None},
            length=dict(self._length(predictors, held_out)),
        )

    def _confidence(self, chances: Floats, held_out: Mask) -> Iterator[tuple[str, ConfidenceReplicates]]:
        for name, tasks in task_groups(self.examples, held_out):
            outcomes = self.examples.outcomes.of(tasks)
            yield name, confidence_replicates(outcomes, chances[outcomes.task, outcomes.model], self.weights)

    def _pool(self, pool: Pool, chances: Floats, held_out: Mask) -> ConfidenceReplicates:
        outcomes = common_outcomes(pool, self.examples).of(held_out)
        return confidence_replicates(outcomes, chances[outcomes.task, outcomes.model], self.weights)

    def _length(self, predictors: Predictors, held_out: Mask) -> Iterator[tuple[tuple[str, str], LengthReplicates]]:
        examples, calls, lengths = self.examples, self.examples.calls.of(held_out), predictors.lengths
        known = applications(examples, calls)
        rows = call_rows(examples, calls, predictors.length_readings, lengths.learned, application=known)
        stage = _Predicted.of(calls.stage_tokens, lengths.stage, lengths.stage_high, rows, lengths.shifts[known, 0])
        remaining = _Predicted.of(
            calls.remaining_tokens, lengths.remaining, lengths.remaining_high, rows, lengths.shifts[known, 1]
        )
        for name, own in call_groups(examples, calls, held_out):
            task = calls.task[own]
            yield (name, "stage"), stage.replicates(task, own, self.weights)
            yield (name, "remaining"), remaining.replicates(task, own, self.weights)


@dataclass(frozen=True, slots=True)
class _Predicted:
    """Tokens that calls took, what was predicted, and whether the .9 quantile covered them; each (calls,)."""

    truth: Floats
    median: Floats
    covered: Mask

    @staticmethod
    def of(truth: Floats, median: Any, high: Any, rows: Any, shift: Floats) -> "_Predicted":
        return _Predicted(truth, np.expm1(median.predict(rows)), truth <= np.expm1(high.predict(rows) + shift))

    def replicates(self, task: Integers, own: Mask, weights: Floats) -> LengthReplicates:
        return length_replicates(task, self.truth[own], self.median[own], weights, covered=self.covered[own])


def figures(fits: Sequence[Measured], *, share: float) -> Figures:
    """Return the figures of a bundle, over all fits.

    Args:
        fits: One for each seed; none gives no figures.
        share: Of all tasks, that was held out of each.
    """
    length = _gathered([fit.length for fit in fits])
    return Figures(
        seeds=len(fits),
        held_out_share=share,
        confidence=_confidence([fit.confidence for fit in fits]),
        pools=_confidence([fit.pools for fit in fits]),
        unseen_models=_confidence([fit.unseen_models for fit in fits]),
        length=tuple(length_figures(name, target, each) for (name, target), each in length.items()),
    )


def _confidence(fits: Sequence[dict[str, ConfidenceReplicates]]) -> tuple[ConfidenceFigures, ...]:
    return tuple(confidence_figures(name, each) for name, each in _gathered(fits).items())


Key = TypeVar("Key", str, tuple[str, str])


def _gathered(fits: Sequence[dict[Key, Replicates]]) -> dict[Key, list[Replicates]]:
    """Return the replicates of each group, of the fits that have it, in the order in which groups first occur."""
    groups = dict.fromkeys(key for fit in fits for key in fit)
    return {key: [fit[key] for fit in fits if key in fit] for key in groups}
