"""Words as an encoder: counts of tokens and of pairs of tokens, weighted by rarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from chimera_training.bundle import TEXT_INPUT
from chimera_training.encoder import Part
from chimera_training.examples import Integers
from chimera_training.features import TOKEN_PATTERN, Floats

# Tokens and pairs of tokens kept. A third more gain under .005 of AUC on held-out tasks and cost a third more of the
# bundle and of a prediction's time.
VOCABULARY = 6000

# A term in a single task teaches that task only.
SMALLEST_DOCUMENT_FREQUENCY = 2

# Fills short rows of a batch up. No text holds it, since texts come in lower case, and so no term does.
PADDING = "PAD"


@dataclass(frozen=True, slots=True, eq=False)
class TfidfEncoder:
    """log(1 + count) of every term times its rarity, each text to length 1.

    Attributes:
        vectorizer: Counts the terms.
        rarity: (terms,) log((1 + texts) / (1 + texts with the term)) + 1.
    """

    vectorizer: CountVectorizer
    rarity: Floats

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

    @property
    def width(self) -> int:
        """Number of terms."""
        return len(self.rarity)

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the vectors, sparse."""
        counts = self.vectorizer.transform(texts).astype(np.float64)
        counts.data = np.log1p(counts.data)
        weighted = counts @ sparse.diags_array(self.rarity)
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        lengths[lengths == 0] = 1.0
        return sparse.csr_array(sparse.diags_array(1 / lengths) @ weighted)

    def products(self, weights: Floats, prefix: str, *, int8: bool = False) -> Part:  # noqa: ARG002 - the same either way
        """Return tokenizer, TF-IDF and products, which are divided by the text's length: there are fewer than terms.

        Built here because skl2onnx loses pairs of words (9 texts in 5,000 differ) and puts log(1 + n) for 1 + log(n).
        """
        words, flat, counts, one, more, logs, rarity, weighted, norm, least, length, terms, sums, output = (
            f"{prefix}{name}"
            for name in (
                *("words", "flat", "counts", "one", "more", "logs"),
                *("rarity", "weighted", "norm", "least", "length", "terms", "sums", "products"),
            )
        )
        nodes = (
            helper.make_node("Tokenizer", [TEXT_INPUT], [words], domain="com.microsoft", **_tokenizer()),
            helper.make_node("Flatten", [words], [flat], axis=1),
            helper.make_node("TfIdfVectorizer", [flat], [counts], **_vocabulary(self.vectorizer)),
            helper.make_node("Constant", [], [one], value_float=1.0),
            helper.make_node("Add", [counts, one], [more]),
            helper.make_node("Log", [more], [logs]),
            helper.make_node("Mul", [logs, rarity], [weighted]),
            helper.make_node("ReduceL2", [weighted], [norm], keepdims=1, axes=[1]),
            helper.make_node("Constant", [], [least], value_float=1e-12),  # length of a text without known terms
            helper.make_node("Max", [norm, least], [length]),
            helper.make_node("MatMul", [weighted, terms], [sums]),
            helper.make_node("Div", [sums, length], [output]),
        )
        text = helper.make_tensor_value_info(TEXT_INPUT, TensorProto.STRING, ["n", 1])
        constants = {rarity: self.rarity, terms: weights}
        tensors = tuple(numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items())
        return Part(inputs=(text,), nodes=nodes, weights=tensors, output=output)


def fit_tfidf(texts: Sequence[str], kinds: Integers | None = None) -> TfidfEncoder:
    """Learn the vocabulary and its weights from training texts.

    Args:
        texts: Normalised.
        kinds: (texts,) the domain of each; a small domain has its own words in the vocabulary like a large one.
    """
    every = _counting(min_df=min(SMALLEST_DOCUMENT_FREQUENCY, len(texts))).fit(texts)
    terms = every.get_feature_names_out()
    present = every.transform(texts) > 0
    kinds = np.zeros(len(texts), dtype=np.int64) if kinds is None else kinds
    chosen = np.sort(_most_frequent(present, kinds)[:VOCABULARY])
    frequency = np.asarray(present.sum(axis=0)).ravel()[chosen]
    rarity: Floats = np.log((1 + len(texts)) / (1 + frequency)) + 1
    return TfidfEncoder(_counting(vocabulary=terms[chosen].tolist()), rarity)


def _counting(**options: Any) -> CountVectorizer:
    # features.normalise has made lower case of the texts.
    return CountVectorizer(lowercase=False, token_pattern=TOKEN_PATTERN, ngram_range=(1, 2), **options)


def _most_frequent(present: Any, kinds: Integers) -> Integers:
    """Return the numbers of the terms: first each kind's most frequent one, then each kind's second, and so on."""
    best = np.full(present.shape[1], np.iinfo(np.int64).max)
    total = np.asarray(present.sum(axis=0)).ravel()
    for kind in np.unique(kinds):
        frequency = np.asarray(present[np.flatnonzero(kinds == kind)].sum(axis=0)).ravel()
        order = np.argsort(-frequency, kind="stable")
        order = order[frequency[order] >= SMALLEST_DOCUMENT_FREQUENCY]
        best[order] = np.minimum(best[order], np.arange(len(order)))
    ranked: Integers = np.lexsort((-total, best)).astype(np.int64)
    return ranked


def _tokenizer() -> dict[str, Any]:
    return {"tokenexp": TOKEN_PATTERN, "mark": 0, "mincharnum": 1, "pad_value": PADDING}


def _vocabulary(vectorizer: CountVectorizer) -> dict[str, Any]:
    """Return the attributes of a TfIdfVectorizer: single tokens first, then pairs, as `pool_strings` wants them."""
    numbered = ((term.split(" "), column) for column, term in enumerate(vectorizer.vocabulary))
    ordered = sorted(numbered, key=lambda term: len(term[0]))
    singles = sum(len(words) == 1 for words, _ in ordered)
    return {
        "mode": "TF",
        "min_gram_length": 1,
        "max_gram_length": 2,
        "max_skip_count": 0,
        "ngram_counts": [0, singles],
        "ngram_indexes": [index for _, index in ordered],
        "pool_strings": [word for words, _ in ordered for word in words],
    }
