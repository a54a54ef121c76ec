import pytest
from encoders import run
from recordings import prompt_rows, workflow_rows

from chimera_training.encoder import TfidfEncoder, fit_tfidf
from chimera_training.features import normalise

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


def test_words_and_pairs_of_words_are_known(encoder: TfidfEncoder) -> None:
    """Pairs tell what single words do not."""
    vocabulary = encoder.vectorizer.vocabulary_

    assert {"write", "write a"} <= set(vocabulary)


def test_the_graph_asks_for_no_locale(encoder: TfidfEncoder) -> None:
    """A string normaliser would need en_US.UTF-8, which slim images lack."""
    assert "StringNormalizer" not in {node.op_type for node in encoder.part("").nodes}
