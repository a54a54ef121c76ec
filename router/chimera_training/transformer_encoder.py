"""A transformer as one of the encoders.

Needs the packages of the extra `encoders`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx.compose import add_prefix

from chimera_training.encoder import OPSET, Part, times
from chimera_training.features import Floats
from chimera_training.tokens import Tokens
from chimera_training.transformer import TextTransformer, read
from chimera_training.transformer_graph import VECTOR, in_eight_bits, transformer_graph


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransformerEncoder:
    """A transformer that is not trained any more.

    Attributes:
        kind: Name in the manifest.
        model: The transformer.
        tokens: Its tokenizer.
        int8: Whether bundles get weights in 8 bits.
    """

    kind: str
    model: TextTransformer
    tokens: Tokens
    int8: bool
    _vectors: dict[str, Floats] = field(default_factory=dict, repr=False)  # fitting reads the same texts several times

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self.model.width

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return the vectors in single precision, dense."""
        fresh = sorted(set(texts) - self._vectors.keys())
        self._vectors.update(zip(fresh, read(self.model, self.tokens, fresh), strict=True))
        return np.array([self._vectors[text] for text in texts]).reshape(-1, self.model.width)

    def products(self, weights: Floats, prefix: str, *, int8: bool) -> Part:
        """Return the exporter's nodes and the product."""
        return times(self.part(prefix, int8=int8), weights, prefix)

    def part(self, prefix: str, *, int8: bool) -> Part:
        """Return the exporter's nodes, with names of our own."""
        exported = transformer_graph(self.model, opset=OPSET)
        graph = add_prefix(in_eight_bits(exported) if int8 else exported, prefix, rename_inputs=False).graph
        return Part(
            inputs=tuple(graph.input),
            nodes=tuple(graph.node),
            weights=tuple(graph.initializer),
            output=f"{prefix}{VECTOR}",
        )
