"""Nearness to landmarks as an encoder: what lets a linear head follow a curve.

A Gaussian kernel between a text's vector and those of some training texts, whitened so that inner products of the
result approximate the kernel itself (Nystroem approximation; Williams and Seeger, 2001).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from chimera_training.encoder import Part, VectorEncoder, times
from chimera_training.examples import Integers
from chimera_training.features import Floats
from chimera_training.surface import SURFACE_FEATURES, SURFACE_INPUT, surface
from chimera_training.tokens import Tokens

# Standard deviations beyond which a column says no more: one odd text must not be far from everything.
LIMIT = 3.0

# Of the kernel exp(-SHARPNESS * distance^2), between vectors of mean length 1: .5 and .7 score alike on held-out tasks.
SHARPNESS = 0.6

SMALLEST_EIGENVALUE = 1e-4  # directions in which landmarks differ less are noise


@dataclass(frozen=True, slots=True)
class SurfaceEncoder:
    """The surface of a text as its vector; the graph is given it."""

    @property
    def kind(self) -> str:
        """Name in the manifest."""
        return "surface"

    @property
    def tokens(self) -> None:
        """None: the graph reads no tokens."""
        return

    @property
    def int8(self) -> bool:
        """False: there are no matrices to round."""
        return False

    @property
    def width(self) -> int:
        """Number of counts."""
        return len(SURFACE_FEATURES)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return the vectors, dense."""
        return surface(texts).astype(np.float64)

    def products(self, weights: Floats, prefix: str, *, int8: bool = False) -> Part:
        """Return the input times the weights."""
        return times(self.part(prefix, int8=int8), weights, prefix)

    def part(self, prefix: str, *, int8: bool = False) -> Part:  # noqa: ARG002 - the same either way
        """Return the input under its own name."""
        vector = f"{prefix}vector"
        given = helper.make_tensor_value_info(SURFACE_INPUT, TensorProto.FLOAT, ["n", len(SURFACE_FEATURES)])
        return Part(inputs=(given,), nodes=(helper.make_node("Identity", [SURFACE_INPUT], [vector]),), output=vector)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelEncoder:
    """Nearness to landmarks in the vectors of another encoder.

    Attributes:
        base: The other encoder, with dense vectors.
        mean: (width,) of its vectors.
        scale: (width,) what they are divided by.
        landmarks: (landmarks, width) shifted and scaled.
        whitening: (landmarks, landmarks).
    """

    base: VectorEncoder
    mean: Floats
    scale: Floats
    landmarks: Floats
    whitening: Floats

    @property
    def kind(self) -> str:
        """Name in the manifest."""
        return self.base.kind

    @property
    def tokens(self) -> Tokens | None:
        """How texts become token numbers."""
        return self.base.tokens

    @property
    def int8(self) -> bool:
        """Whether the other encoder gets weights in 8 bits."""
        return self.base.int8

    @property
    def width(self) -> int:
        """Number of landmarks."""
        return len(self.whitening)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return the vectors, dense."""
        nearness: Floats = kernel(_placed(self.base.encode(texts), self.mean, self.scale), self.landmarks)
        return nearness @ self.whitening

    def products(self, weights: Floats, prefix: str, *, int8: bool) -> Part:
        """Return the other encoder's nodes and those of the kernel; the whitening goes into the weights."""
        return times(self._nearness(prefix, int8=int8), self.whitening @ weights, prefix)

    def _nearness(self, prefix: str, *, int8: bool) -> Part:
        base = self.base.part(f"{prefix}base_", int8=int8)
        names = ("mean", "scale", "low", "high", "landmarks", "sizes", "minus_two", "sharpness")
        mean, scale, low, high, landmarks, sizes, minus_two, sharpness = (f"{prefix}{n}" for n in names)
        steps = ("shifted", "scaled", "point", "size", "inner", "cross", "sum", "distance", "damped", "near")
        shifted, scaled, point, size, inner, cross, total, distance, damped, near = (f"{prefix}{n}" for n in steps)
        nodes = (
            *base.nodes,
            helper.make_node("Sub", [base.output, mean], [shifted]),
            helper.make_node("Div", [shifted, scale], [scaled]),
            helper.make_node("Clip", [scaled, low, high], [point]),
            helper.make_node("ReduceSumSquare", [point], [size], keepdims=1, axes=[1]),
            helper.make_node("MatMul", [point, landmarks], [inner]),
            helper.make_node("Mul", [inner, minus_two], [cross]),
            helper.make_node("Add", [cross, sizes], [total]),
            helper.make_node("Add", [total, size], [distance]),
            helper.make_node("Mul", [distance, sharpness], [damped]),
            helper.make_node("Exp", [damped], [near]),
        )
        bound = LIMIT / np.sqrt(len(self.mean))
        constants = {
            mean: self.mean,
            scale: self.scale,
            low: np.array(-bound),
            high: np.array(bound),
            landmarks: self.landmarks.T,
            sizes: (self.landmarks**2).sum(axis=1),
            minus_two: np.array(-2.0),
            sharpness: np.array(-SHARPNESS),
        }
        weights = tuple(numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items())
        return Part(inputs=base.inputs, nodes=nodes, weights=(*base.weights, *weights), output=near)


def fit_kernel(
    base: VectorEncoder, texts: Sequence[str], kinds: Integers, *, landmarks: int, seed: int = 0
) -> KernelEncoder:
    """Choose landmarks among training texts.

    Args:
        base: Turns texts into dense vectors.
        texts: Normalised.
        kinds: (texts,) the domain of each; a domain gets landmarks by the square root of its size.
        landmarks: How many at most.
        seed: Of the choice.
    """
    vectors = np.asarray(base.encode(texts), dtype=np.float64)
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0) * np.sqrt(vectors.shape[1])
    points = _placed(vectors[_stratified(kinds, landmarks, seed)], mean, scale)
    values, directions = np.linalg.eigh(kernel(points, points))
    whitening = directions / np.sqrt(values.clip(min=SMALLEST_EIGENVALUE))
    return KernelEncoder(base=base, mean=mean, scale=scale, landmarks=points, whitening=whitening)


def kernel(points: Floats, landmarks: Floats) -> Floats:
    """Return exp(-SHARPNESS * squared distance), (points, landmarks)."""
    distance = (points**2).sum(axis=1)[:, None] + (landmarks**2).sum(axis=1) - 2 * points @ landmarks.T
    nearness: Floats = np.exp(-SHARPNESS * distance)
    return nearness


def _placed(vectors: Any, mean: Floats, scale: Floats) -> Floats:
    bound = LIMIT / np.sqrt(len(mean))
    placed: Floats = ((vectors - mean) / scale).clip(-bound, bound)
    return placed


def _stratified(kinds: Integers, count: int, seed: int) -> Integers:
    """Return `count` or fewer rows, from every kind by the square root of its size."""
    present, sizes = np.unique(kinds, return_counts=True)
    wanted = np.minimum(sizes, np.ceil(count * np.sqrt(sizes) / np.sqrt(sizes).sum()).astype(np.int64))
    dice = np.random.default_rng(seed)
    rows = [dice.permutation(np.flatnonzero(kinds == kind))[:most] for kind, most in zip(present, wanted, strict=True)]
    chosen: Integers = np.sort(np.concatenate(rows))
    return chosen
