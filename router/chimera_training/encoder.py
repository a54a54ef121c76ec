"""What a text encoder is: from a task's text to a vector that linear heads can read, in Python and as ONNX nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from scipy import sparse

from chimera_training.features import Floats
from chimera_training.tokens import Tokens

# ONNX 1.12: the oldest with layer normalisation, the newest that ReduceL2 and Split are written for here.
OPSET = 17


class WeightsError(Exception):
    """The weights of an encoder cannot be used; the text names the place and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of the text graph that an encoder fills.

    Attributes:
        inputs: What the graph is given: `text`, strings (n, 1), or token numbers and their mask, each (n, length).
        nodes: From the inputs to the vector.
        weights: Constants of the nodes.
        output: Name of the value that comes out.
    """

    inputs: tuple[ValueInfoProto, ...]
    nodes: tuple[NodeProto, ...]
    weights: tuple[TensorProto, ...] = ()
    output: str


class Encoder(Protocol):
    """Turns texts into vectors; the graph must give what `encode` gives."""

    @property
    def kind(self) -> str:
        """Name in the manifest."""

    @property
    def tokens(self) -> Tokens | None:
        """How texts become token numbers; None where the graph reads the texts themselves."""

    @property
    def int8(self) -> bool:
        """Whether bundles get weights in 8 bits: faster, and not quite what `encode` gives."""

    @property
    def width(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, (texts, width), dense or sparse."""

    def products(self, weights: Floats, prefix: str, *, int8: bool) -> Part:
        """Return ONNX nodes of `OPSET` from texts to `encode(texts) @ weights`, (texts, readings).

        The whole product, and not only the vector, so that what is linear in an encoder costs nothing: it is multiplied
        into the weights once.

        Args:
            weights: (width, readings).
            prefix: Of every name but the inputs'.
            int8: Round matrices to 8 bits where there are such.
        """


class VectorEncoder(Encoder, Protocol):
    """An encoder whose vector something else can be built on."""

    def part(self, prefix: str, *, int8: bool) -> Part:
        """Return ONNX nodes of `OPSET` from texts to `encode(texts)`."""


def times(part: Part, weights: Floats, prefix: str) -> Part:
    """Return a part whose output, (n, width), is multiplied by weights, (width, readings)."""
    name, output = f"{prefix}weights", f"{prefix}products"
    return Part(
        inputs=part.inputs,
        nodes=(*part.nodes, helper.make_node("MatMul", [part.output, name], [output])),
        weights=(*part.weights, numpy_helper.from_array(weights.astype(np.float32), name)),
        output=output,
    )


@dataclass(frozen=True, slots=True)
class JoinedEncoder:
    """Vectors of several encoders side by side.

    Attributes:
        kind: Name in the manifest.
        parts: At most one of them with tokens.
    """

    kind: str
    parts: tuple[Encoder, ...]

    @property
    def tokens(self) -> Tokens | None:
        """How texts become token numbers."""
        return next((part.tokens for part in self.parts if part.tokens), None)

    @property
    def int8(self) -> bool:
        """Whether any part gets weights in 8 bits."""
        return any(part.int8 for part in self.parts)

    @property
    def width(self) -> int:
        """Length of all vectors together."""
        return sum(part.width for part in self.parts)

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, sparse."""
        return sparse.hstack([part.encode(texts) for part in self.parts], format="csr")

    def products(self, weights: Floats, prefix: str, *, int8: bool) -> Part:
        """Return all parts and the sum of what they give."""
        shares = np.split(weights, np.cumsum([part.width for part in self.parts])[:-1])
        parts = [
            part.products(share, f"{prefix}{number}_", int8=int8)
            for number, (part, share) in enumerate(zip(self.parts, shares, strict=True))
        ]
        output = f"{prefix}sum"
        return Part(
            inputs=tuple(value for part in parts for value in part.inputs),
            nodes=(
                *(node for part in parts for node in part.nodes),
                helper.make_node("Sum", [part.output for part in parts], [output]),
            ),
            weights=tuple(tensor for part in parts for tensor in part.weights),
            output=output,
        )
