"""Text encoders: from the text of a task to a vector that linear heads can read, in Python and as ONNX nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from onnx import NodeProto, helper
from sklearn.feature_extraction.text import TfidfVectorizer

from chimera_training.features import TOKEN_PATTERN, Floats

# Words and pairs of words kept, by frequency. Twice as many gain nothing on held-out tasks and double the bundle.
VOCABULARY = 8000

# A word in a single task teaches that task only.
SMALLEST_DOCUMENT_FREQUENCY = 2


class Encoder(Protocol):
    """Turns texts into vectors; the graph must give what `encode` gives."""

    @property
    def kind(self) -> str:
        """Name in the manifest."""

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, (texts, width), dense or sparse."""

    def nodes(self, text: str, vector: str) -> list[NodeProto]:
        """Return ONNX nodes from the value `text`, strings (n, 1), to the value `vector`, floats (n, width)."""


@dataclass(frozen=True, slots=True)
class TfidfEncoder:
    """Counts of words and of pairs of words, weighted by rarity, each text to length 1."""

    vectorizer: TfidfVectorizer

    @property
    def kind(self) -> str:
        """Name in the manifest."""
        return "tfidf"

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, sparse."""
        return self.vectorizer.transform(texts)

    def nodes(self, text: str, vector: str) -> list[NodeProto]:
        """Return tokenizer, TF-IDF and normalisation.

        Built here because skl2onnx loses pairs of words (9 texts in 5,000 differ) and puts log(1 + n) for 1 + log(n).
        """
        tokens, counts, norm = f"{vector}_tokens", f"{vector}_counts", f"{vector}_norm"
        floor = helper.make_node(
            "Constant", [], [f"{vector}_floor"], value_float=1e-12
        )  # of a text without known words
        return [
            helper.make_node("Tokenizer", [text], [tokens], domain="com.microsoft", **_tokenizer()),
            helper.make_node("Flatten", [tokens], [f"{tokens}_flat"], axis=1),
            helper.make_node("TfIdfVectorizer", [f"{tokens}_flat"], [counts], **_vocabulary(self.vectorizer)),
            helper.make_node("ReduceL2", [counts], [norm], keepdims=1, axes=[1]),
            floor,
            helper.make_node("Max", [norm, f"{vector}_floor"], [f"{norm}_positive"]),
            helper.make_node("Div", [counts, f"{norm}_positive"], [vector]),
        ]


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
