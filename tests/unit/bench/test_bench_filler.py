"""Words that stand for unrecorded text."""

import pytest

from chimera_bench.filler import CHARACTERS_PER_TOKEN, estimated_tokens, filler


def test_filler_has_as_many_words_as_tokens() -> None:
    """One word is one token."""
    assert len(filler(7, 0, 250).split()) == 250


def test_filler_continues_where_it_stopped() -> None:
    """The text of a seed is the same however it is cut into chunks."""
    assert filler(7, 0, 40) == filler(7, 0, 13) + filler(7, 13, 40)


def test_seeds_differ() -> None:
    """Two conversations do not get the same words."""
    assert len({filler(seed, 0, 20) for seed in range(500)}) == 500


def test_filler_is_estimated_as_what_it_stands_for() -> None:
    """Counting by length, as picker and engine do, gives back the number of tokens."""
    assert estimated_tokens(filler(3, 0, 123)) == 123


@pytest.mark.parametrize(("length", "tokens"), [(0, 0), (1, 1), (CHARACTERS_PER_TOKEN, 1), (5, 2)])
def test_tokens_are_rounded_up(length: int, tokens: int) -> None:
    """A text that is not empty has at least one token."""
    assert estimated_tokens("x" * length) == tokens
