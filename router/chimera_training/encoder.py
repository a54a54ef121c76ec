"""Text encoders: from the text of a task to a vector that linear heads can read, in Python and as ONNX nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from chimera_training.bundle import TEXT_INPUT
from chimera_training.features import TOKEN_PATTERN, Floats
from chimera_training.tokens import Tokens

# ONNX 1.12: the oldest with layer normalisation, the newest that ReduceL2 and Split are written for here.
OPSET = 17

# Words and pairs of words kept, by frequency. Twice as many gain nothing on held-out tasks and double the bundle.
VOCABULARY = 8000

# A word in a single task teaches that task only.
SMALLEST_DOCUMENT_FREQUENCY = 2


class WeightsError(Exception):
    """The weights of an encoder cannot be used; the text names the place and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of the text graph that an encoder fills.

    Attributes:
        inputs: What the graph is given: `text`, strings (n, 1), or token numbers and their mask, each (n, length).
        nodes: From the inputs to the vector.
        weights: Constants of the nodes.
        vector: Name of the value (n, width) that comes out.
    """

    inputs: tuple[ValueInfoProto, ...]
    nodes: tuple[NodeProto, ...]
    weights: tuple[TensorProto, ...] = ()
    vector: str


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

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, (texts, width), dense or sparse."""

    def part(self, prefix: str, *, int8: bool) -> Part:
        """Return ONNX nodes of `OPSET`, every name but the inputs' with a prefix; in 8 bits where there are such."""


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

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, sparse."""
        return sparse.hstack([part.encode(texts) for part in self.parts], format="csr")

    def part(self, prefix: str, *, int8: bool) -> Part:
        """Return all parts and their concatenation."""
        parts = [part.part(f"{prefix}{number}_", int8=int8) for number, part in enumerate(self.parts)]
        vector = f"{prefix}vector"
        joined = helper.make_node("Concat", [part.vector for part in parts], [vector], axis=1)
        return Part(
            inputs=tuple(value for part in parts for value in part.inputs),
            nodes=(*(node for part in parts for node in part.nodes), joined),
            weights=tuple(tensor for part in parts for tensor in part.weights),
            vector=vector,
        )


@dataclass(frozen=True, slots=True)
class TfidfEncoder:
    """Counts of words and of pairs of words, weighted by rarity, each text to length 1."""

    vectorizer: TfidfVectorizer

    @property
    def kind(self) -> str:
        """Name in the manifest."""
        return "tfidf"

    @property
    def tokens(self) -> None:
        """None: the graph reads texts."""
        return

    @property
    def int8(self) -> bool:
        """False: a look-up has no matrices to round."""
        return False

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, sparse."""
        return self.vectorizer.transform(texts)

    def part(self, prefix: str, *, int8: bool = False) -> Part:  # noqa: ARG002 - the same either way
        """Return tokenizer, TF-IDF and normalisation.

        Built here because skl2onnx loses pairs of words (9 texts in 5,000 differ) and puts log(1 + n) for 1 + log(n).
        """
        words, flat, counts, norm, least, length, vector = (
            f"{prefix}{name}" for name in ("words", "flat", "counts", "norm", "least", "length", "vector")
        )
        nodes = (
            helper.make_node("Tokenizer", [TEXT_INPUT], [words], domain="com.microsoft", **_tokenizer()),
            helper.make_node("Flatten", [words], [flat], axis=1),
            helper.make_node("TfIdfVectorizer", [flat], [counts], **_vocabulary(self.vectorizer)),
            helper.make_node("ReduceL2", [counts], [norm], keepdims=1, axes=[1]),
            helper.make_node("Constant", [], [least], value_float=1e-12),  # length of a text without known words
            helper.make_node("Max", [norm, least], [length]),
            helper.make_node("Div", [counts, length], [vector]),
        )
        text = helper.make_tensor_value_info(TEXT_INPUT, TensorProto.STRING, ["n", 1])
        return Part(inputs=(text,), nodes=nodes, vector=vector)


def fit_tfidf(texts: Sequence[str]) -> TfidfEncoder:
    """Learn the vocabulary and its weights from training texts."""
    vectorizer = TfidfVectorizer(
        lowercase=False,  # features.normalise has done it
        token_pattern=TOKEN_PATTERN,
        ngram_range=(1, 2),
        min_df=SMALLEST_DOCUMENT_FREQUENCY,
        max_features=VOCABULARY,
        dtype=np.float64,
    )
    return TfidfEncoder(vectorizer.fit(texts))


def _tokenizer() -> dict[str, Any]:
    return {"tokenexp": TOKEN_PATTERN, "mark": 0, "mincharnum": 1, "pad_value": "#"}


def _vocabulary(vectorizer: TfidfVectorizer) -> dict[str, Any]:
    """Return the attributes of a TfIdfVectorizer: single words first, then pairs, as `pool_strings` wants them."""
    weights: Floats = vectorizer.idf_
    terms = [(term.split(" "), index) for term, index in sorted(vectorizer.vocabulary_.items())]
    ordered = sorted(terms, key=lambda term: len(term[0]))
    singles = sum(len(words) == 1 for words, _ in ordered)
    return {
        "mode": "TFIDF",
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": 0,
        "ngram_counts": [0, singles],
        "ngram_indexes": [int(index) for _, index in ordered],
        "pool_strings": [word for words, _ in ordered for word in words],
        "weights": [float(weights[index]) for _, index in ordered],
    }
