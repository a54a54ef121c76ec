"""Scoring: what counts as an answer, and when it is right."""

import pytest

from chimera_training.probes.probe import Form
from chimera_training.probes.scoring import LONGEST_ANSWER, extract, is_right


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Answer: 12", "12"),
        ("Some steps.\n\n**Answer:** 12", "12"),
        ("answer : 12", "12"),
        ("First I thought Answer: 3.\nNo.\nAnswer: 12", "12"),
        ("The final answer: 12", "12"),
        ("Answer:\n12\nThat is it.", "12"),
        ("Answer:\n```python\n[1, 2]\n```", "[1, 2]"),
        ("Answer: ```\n12\n```", "12"),
        ("Answer:\n~~~\n12", "12"),
        ("So it is \\boxed{12}.", "12"),
        ("Answer: $\\boxed{12}$", "12"),
        ("Answer: `12`", "12"),
        ("Antwort\nAnswer：12", "12"),
    ],
)
def test_an_answer_is_found(reply: str, answer: str) -> None:
    """The last mark counts, whatever Markdown stands around it."""
    assert extract(reply) == answer


@pytest.mark.parametrize("reply", ["", "12", "Answer:", "Answer: **", "I cannot answer that.", "\\boxed{}"])
def test_no_answer_is_none(reply: str) -> None:
    """A number somewhere in the text is not an answer."""
    assert extract(reply) is None
    assert not is_right(reply, answer="12", form=Form.NUMBER)


def test_a_rambling_answer_is_cut() -> None:
    """What stands far behind the mark is not looked at."""
    assert extract(f"Answer: {'x' * 10_000}") == "x" * LONGEST_ANSWER


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("1,234", "1234"),
        ("$1,234.00", "1234"),
        ("1234.", "1234"),
        ("1234 marbles", "1234"),
        ("x = 1234", "1234"),
        ("3 + 4 = 7", "7"),
        ("−7", "-7"),
        ("7/2", "3.50"),
        ("3.5", "3.50"),
        ("3.4999", "3.50"),
        ("26.8224", "26.82"),
        ("1.5e3", "1500"),
        ("\\(12\\)", "12"),
        ("12 \\text{ km}", "12"),
    ],
)
def test_right_numbers(given: str, answer: str) -> None:
    """Signs of currency, separators and units are looked over; a rounded reference accepts the exact value."""
    assert is_right(f"Answer: {given}", answer=answer, form=Form.NUMBER)


@pytest.mark.parametrize(
    ("given", "answer"),
    [("12.4", "12"), ("-7", "7"), ("3.51", "3.50"), ("twelve", "12"), ("1/0", "1"), ("1e999", "1"), ("9" * 300, "9")],
)
def test_wrong_numbers(given: str, answer: str) -> None:
    """A whole number has to be met exactly; nonsense is wrong and no error."""
    assert not is_right(f"Answer: {given}", answer=answer, form=Form.NUMBER)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("[1,2,  3]", "[1, 2, 3]"),
        ('"abc"', "'abc'"),
        ("abc", "'abc'"),
        ("{'b': 2, 'a': 1}", "{'a': 1, 'b': 2}"),
        ("[('v', 0)].", "[('v', 0)]"),
        ("-4", "-4"),
    ],
)
def test_right_literals(given: str, answer: str) -> None:
    """Values are compared, not spellings; a bare word stands for its string."""
    assert is_right(f"Answer: {given}", answer=answer, form=Form.LITERAL)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("[1, 2]", "[2, 1]"),
        ("(1, 2)", "[1, 2]"),
        ("True", "1"),
        ("1.0", "1"),
        ("'1'", "1"),
        ("f(2)", "4"),
        ("[" * 90, "1"),
    ],
)
def test_wrong_literals(given: str, answer: str) -> None:
    """Types count; nothing is called; what does not parse is wrong."""
    assert not is_right(f"Answer: {given}", answer=answer, form=Form.LITERAL)


def test_escapes_of_a_model_warn_nobody() -> None:
    """Python would warn of an unknown escape in what a model wrote."""
    assert not is_right("Answer: '\\d'", answer="'d'", form=Form.LITERAL)


@pytest.mark.parametrize("given", ["B", "(B)", "B.", "B) 12 A", "option B", "**B**", "\\text{B}"])
def test_right_letters(given: str) -> None:
    """However it is set off, the first lone letter counts."""
    assert is_right(f"Answer: {given}", answer="B", form=Form.LETTER)


@pytest.mark.parametrize("given", ["C", "b", "Bob", "none", "12"])
def test_wrong_letters(given: str) -> None:
    """A letter inside a word is none."""
    assert not is_right(f"Answer: {given}", answer="B", form=Form.LETTER)


@pytest.mark.parametrize("given", ["kofi", "Kofi.", '"Kofi"', "**Kofi**", " Kofi \n"])
def test_right_texts(given: str) -> None:
    """Case, quotes and full stops are looked over."""
    assert is_right(f"Answer: {given}", answer="Kofi", form=Form.TEXT)


@pytest.mark.parametrize("given", ["Kofi and Ana", "Kof", "2024-01-02"])
def test_wrong_texts(given: str) -> None:
    """It is the whole answer or none."""
    assert not is_right(f"Answer: {given}", answer="Kofi", form=Form.TEXT)
