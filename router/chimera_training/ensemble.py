"""What lengths ask of those who fit trees, boosted or a forest, and what they get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from onnx import ModelProto

from chimera_training.examples import Mask
from chimera_training.features import Floats

MEDIAN = 0.5
HIGH = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Calls to fit on.

    Attributes:
        rows: (n, features) from `features.length_rows`.
        target: (n,) log(1 + tokens).
        weight: (n,) of each call in the median; None where all count alike.
    """

    rows: Any
    target: Floats
    weight: Floats | None = None

    def chosen(self, calls: Mask) -> "Sample":
        """Return only these calls, (n,)."""
        weight = None if self.weight is None else self.weight[calls]
        return Sample(rows=self.rows[calls], target=self.target[calls], weight=weight)


class Ensemble(Protocol):
    """Fitted trees for one quantile of one target."""

    def predict(self, rows: Any) -> Floats:
        """Return log(1 + tokens), (n,), for (n, features) of `features.length_rows`."""
        ...

    def graph(self, source: str, *, opset: int) -> ModelProto:
        """Return the same as an ONNX graph with one input of this name and one output, (n, 1)."""
        ...


class Fit(Protocol):
    """Fits quantiles of a sample's target; equal samples give equal trees."""

    def __call__(self, sample: Sample, quantiles: tuple[float, ...]) -> Mapping[float, Ensemble]:
        """Return an ensemble for each quantile, which lies between 0 and 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A way of fitting lengths.

    Attributes:
        stage: For the tokens of a call.
        remaining: For those of the call and all later ones.
    """

    stage: Fit
    remaining: Fit
