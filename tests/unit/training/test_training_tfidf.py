import numpy as np
import pytest
from encoders import run
from recordings import prompt_rows, workflow_rows

from chimera_training.features import normalise
from chimera_training.tfidf import VOCABULARY, TfidfEncoder, fit_tfidf

TEXTS = [
    *{normalise(row.text) for row in prompt_rows()},
    *{normalise(row.stages[0].text) for row in workflow_rows()},
]


@pytest.fixture(scope="module")
def encoder() -> TfidfEncoder:
    return fit_tfidf(sorted(TEXTS))


def test_the_graph_encodes_like_its_source(encoder: TfidfEncoder) -> None:
    """Every training text, in one batch of texts of different length."""
    assert run(encoder, TEXTS) == pytest.approx(encoder.encode(TEXTS).toarray(), abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", "   ", "!!!", "#", "a", "\x00 sort", "naïve sørt list", "sort\n\tlist", "😀", "sort " * 400]
)
def test_unusual_texts_encode_alike_too(encoder: TfidfEncoder, text: str) -> None:
    """No words, no known words, other scripts, control characters, repetition."""
    assert run(encoder, [text]) == pytest.approx(encoder.encode([text]).toarray(), abs=1e-6)


def test_a_text_without_known_words_is_the_zero_vector(encoder: TfidfEncoder) -> None:
    """Not a division by zero."""
    assert not run(encoder, ["zzzz qqqq"]).any()
    assert not encoder.encode(["zzzz qqqq"]).toarray().any()


def test_symbols_and_digits_are_tokens_of_their_own() -> None:
    """`x+=1` and `x-=1` are different code; 12 and 13 begin alike."""
    texts = ["x+=1", "x+=1", "x-=12", "x-=13"]

    known = set(fit_tfidf(texts).vectorizer.get_feature_names_out())

    assert {"x", "+", "-", "=", "1", "x +", "+ =", "= 1"} <= known
    assert "12" not in known


def test_a_word_said_often_counts_more_but_not_in_proportion() -> None:
    """log(1 + count) before the rarity."""
    texts = ["alpha beta", "alpha beta"]
    encoder = fit_tfidf(texts)
    columns = {term: column for column, term in enumerate(encoder.vectorizer.get_feature_names_out())}

    (row,) = encoder.encode(["alpha alpha alpha beta"]).toarray()

    assert row[columns["alpha"]] / row[columns["beta"]] == pytest.approx(np.log(4) / np.log(2))


def test_a_small_kind_of_text_has_its_words_in_the_vocabulary() -> None:
    """Where the vocabulary is full, a kind's most frequent words come before another's rare ones."""
    many = [f"w{a}{b}{c} " * 2 for a in "abcdefghijklmnopqrst" for b in "abcdefghijklmnopqrst" for c in "abcdefghi"]
    large = [text for text in many for _ in range(3)]
    small = ["rareword here", "rareword there"]

    encoder = fit_tfidf([*large, *small], np.array([0] * len(large) + [1] * len(small)))

    assert len(encoder.rarity) == VOCABULARY
    assert "rareword" in encoder.vectorizer.get_feature_names_out()


def test_words_and_pairs_of_words_are_known(encoder: TfidfEncoder) -> None:
    """Pairs tell what single words do not."""
    vocabulary = set(encoder.vectorizer.get_feature_names_out())

    assert {"write", "write a"} <= vocabulary


def test_the_graph_asks_for_no_locale(encoder: TfidfEncoder) -> None:
    """A string normaliser would need en_US.UTF-8, which slim images lack."""
    assert "StringNormalizer" not in {node.op_type for node in encoder.products(np.eye(encoder.width), "").nodes}
