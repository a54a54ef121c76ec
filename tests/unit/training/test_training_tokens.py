import pytest
from tiny_transformers import TEXTS, tokenizer_json

from chimera_training.bundle import TEXT_INPUT
from chimera_training.tokens import ATTENTION_MASK, INPUT_IDS, TokenizerError, Tokens, padded, text_inputs

BEGIN, END = 2, 3


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(tokenizer_json(), limit=12)


def test_a_text_becomes_numbers_between_two_marks(tokens: Tokens) -> None:
    """Marks count towards the limit; what the file says of truncation and padding is not followed."""
    numbers = tokens.numbers(" ".join(TEXTS[0].split()[:10]))

    assert len(numbers) == 12
    assert (numbers[0], numbers[-1]) == (BEGIN, END)


def test_a_long_text_loses_its_middle(tokens: Tokens) -> None:
    """A quarter of the limit is kept at the beginning, the rest at the end, where the task is."""
    text = " ".join(TEXTS)
    whole = Tokens(tokenizer_json(), limit=10_000).numbers(text)

    assert tokens.numbers(text) == [*whole[:3], *whole[-9:]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_no_limit_is_passed(limit: int) -> None:
    """However small."""
    assert len(Tokens(tokenizer_json(), limit=limit).numbers(TEXTS[0])) == limit


def test_an_empty_text_is_its_marks(tokens: Tokens) -> None:
    """So that a transformer has something to read."""
    assert tokens.numbers("") == [BEGIN, END]


def test_shorter_texts_are_padded_and_masked(tokens: Tokens) -> None:
    """As far as the longest of the batch, no further."""
    inputs = tokens.inputs(["", "write a function"])

    assert inputs[INPUT_IDS].shape == inputs[ATTENTION_MASK].shape == (2, 5)
    assert inputs[ATTENTION_MASK].tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]
    assert inputs[INPUT_IDS][0].tolist() == [BEGIN, END, 0, 0, 0]


def test_a_text_without_any_token_still_has_a_column() -> None:
    """A tokenizer without marks finds nothing in an empty text; no runtime takes an input without columns."""
    assert padded([[]])[INPUT_IDS].shape == (1, 1)
    assert padded([])[INPUT_IDS].shape == (0, 1)


def test_a_graph_gets_the_inputs_it_names(tokens: Tokens) -> None:
    """Words, tokens, or both."""
    every = [TEXT_INPUT, INPUT_IDS, ATTENTION_MASK]

    assert text_inputs(["a", "b"], None, [TEXT_INPUT])[TEXT_INPUT].tolist() == [["a"], ["b"]]
    assert list(text_inputs(["a"], tokens, every)) == every
    assert list(text_inputs(["a"], tokens, [INPUT_IDS])) == [INPUT_IDS]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"version": "1.0"}'])
def test_what_is_no_tokenizer_is_refused(content: bytes) -> None:
    """The package's own words may hold parts of the file, so they are not passed on."""
    with pytest.raises(TokenizerError, match=r"^the tokenizer cannot be read$"):
        Tokens(content, limit=8)
