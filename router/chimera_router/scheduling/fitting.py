"""Re-fit an engine's coefficients from what requests took there.

A request that made n tokens while b of them ran beside each other, and while the prompts that came took P tokens to
prefill, took `n·b0 + n·b·b2 + P·c` seconds. The three are poorly told apart, since most requests see about the same mix
of them; their sum is not, and it is the sum, over the batches seen, that decisions read. So what is fitted are factors
on the configured values, drawn towards one another more than towards 1: a wrong accelerator profile is wrong in all.

Recursive least squares of the relative error, with forgetting, a prior and bounds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from chimera_router.scheduling.types import Coefficients, Model
from chimera_router.values import value

LIMIT = 4.0
"""Factor on a configured coefficient, and its inverse: more than the accelerators that a model may run on differ by
(prediction.md 5: A6000 to H200, 3.3 to 4.1 times)."""

IMPLAUSIBLE = LIMIT**2
"""Factor on the configured time beyond which it measures something else: a gateway that hands an answer over in one
piece, a client that stopped reading, a clock that stood still."""

STEP = 1.5
"""Factor that one request may show beyond what is believed; what it shows more counts as this much."""

MEMORY = 256.0
"""Requests remembered: the newest weighs 1 / 256 in the long run, so noise of 30 % leaves 1.5 %."""

ENOUGH = 16.0
"""Requests before anything is changed: the standard error of noise of 30 % is then 7 %."""

# Requests' worth of belief that the factors' mean is 1, and that they are equal. More, and a profile wrong in one
# coefficient alone is never found out; less, and noise of 20 % swaps base step and prefill.
_COMMON, _EQUAL = 0.1, 0.5
_SWEEPS = 4  # of coordinate descent, which goes on where the one before left it

# Requests from which on the factors are worked out at every so many only: each of them moves them by half a percent.
_STEADY, _EVERY = 64.0, 8


@value(kw_only=True)
class Passage:
    """What one request saw of an engine, between two moments of it.

    Attributes:
        seconds: Between them; no waiting in a queue is in it.
        tokens: Output tokens that it made.
        batch: Requests that ran, itself included, on average over the time.
        prefill: Prompt tokens that were computed meanwhile, of all requests.
    """

    seconds: float
    tokens: float
    batch: float
    prefill: float

    def expected(self, coefficients: Coefficients) -> float:
        """Return the seconds it should have taken."""
        return sum(_terms(self, coefficients))


class StepTimeFit:
    """The coefficients of one model, over all its endpoints.

    Args:
        configured: Where the fit begins and what bounds it; a coefficient of zero stays zero.
    """

    def __init__(self, configured: Coefficients) -> None:
        self.configured = configured
        self.coefficients = configured
        self.weight = 0.0
        self._factors = [1.0, 1.0, 1.0]
        spread = (_COMMON - _EQUAL) / 3.0
        self._prior = [[spread + _EQUAL * (row == column) for column in range(3)] for row in range(3)]
        self._moments = [[0.0] * 3 for _ in range(3)]
        self._pulls = [0.0] * 3
        self._since = 0

    def observe(self, passage: Passage) -> bool:
        """Learn from a passage; return whether it could be one."""
        terms = _terms(passage, self.configured)
        expected = sum(terms)
        ratio = passage.seconds / expected if expected > 0.0 else math.inf
        if not 1.0 / IMPLAUSIBLE <= ratio <= IMPLAUSIBLE:
            return False
        shares = [term / expected for term in terms]
        believed = _dot(self._factors, shares)
        self._add(shares, min(max(ratio, believed / STEP), believed * STEP))
        self._since = (self._since + 1) % _EVERY
        if self.weight < _STEADY or not self._since:
            self._solve()
            if self.weight >= ENOUGH:
                self.coefficients = self._fitted()
        return True

    def _add(self, shares: Sequence[float], ratio: float) -> None:
        kept = 1.0 - 1.0 / MEMORY
        self.weight = kept * self.weight + 1.0
        for row, share in enumerate(shares):
            self._pulls[row] = kept * self._pulls[row] + share * ratio
            moments = self._moments[row]
            for column, other in enumerate(shares):
                moments[column] = kept * moments[column] + share * other

    def _solve(self) -> None:
        """Minimise over the bounds, one factor at a time: exact in the limit, as the problem is strictly convex."""
        factors = self._factors
        for _ in range(_SWEEPS):
            for index, (moments, prior) in enumerate(zip(self._moments, self._prior, strict=True)):
                slope = self._pulls[index] + sum(prior) - _dot(moments, factors) - _dot(prior, factors)
                factors[index] += slope / (moments[index] + prior[index])
                factors[index] = min(max(factors[index], 1.0 / LIMIT), LIMIT)

    def _fitted(self) -> Coefficients:
        base, each, prefill = self._factors
        return replace(
            self.configured,
            base_step=self.configured.base_step * base,
            per_sequence=self.configured.per_sequence * each,
            prefill_per_token=self.configured.prefill_per_token * prefill,
        )


class Fits:
    """The fits of the pool's models, by name; one whose configured coefficients change begins anew."""

    def __init__(self) -> None:
        self._by_model: dict[str, StepTimeFit] = {}
        self._asked: Mapping[str, Model] | None = None
        self._answer: Mapping[str, Model] = {}

    def __iter__(self) -> Iterator[tuple[str, Coefficients]]:
        """Yield model and coefficients."""
        for name, model in self._answer.items():
            yield name, model.coefficients

    def fitted(self, models: Mapping[str, Model]) -> Mapping[str, Model]:
        """Return the models as configured with the coefficients that hold now: one mapping until something changes."""
        if self._asked is not models:
            self._asked, self._answer = models, {name: self._refitted(model) for name, model in models.items()}
        return self._answer

    def observe(self, model: Model, passage: Passage) -> tuple[float, float] | None:
        """Learn from a passage at one of a model's endpoints.

        Returns:
            The seconds that it should have taken, as configured and as fitted before; None where nothing is learned:
            the passage is implausible, or the model has been configured anew since.
        """
        fit = self._by_model.get(model.name)
        if fit is None or fit.configured != model.coefficients:
            return None
        expected = passage.expected(fit.configured), passage.expected(fit.coefficients)
        before = fit.coefficients
        if not fit.observe(passage):
            return None
        if fit.coefficients is not before:
            self._asked = None
        return expected

    def _refitted(self, model: Model) -> Model:
        fit = self._by_model.get(model.name)
        if fit is None or fit.configured != model.coefficients:
            fit = self._by_model[model.name] = StepTimeFit(model.coefficients)
        return model if fit.coefficients is fit.configured else replace(model, coefficients=fit.coefficients)


def _terms(passage: Passage, coefficients: Coefficients) -> tuple[float, float, float]:
    return (
        passage.tokens * coefficients.base_step,
        passage.tokens * passage.batch * coefficients.per_sequence,
        passage.prefill * coefficients.prefill_per_token,
    )


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]
