"""Which engine arguments belong to the operator."""

import pytest

from chimera_operator.api.engine_args import OWNED_FLAGS, owned_flag


@pytest.mark.parametrize(
    ("argument", "flag"),
    [
        ("--port", "--port"),
        ("--port=80", "--port"),
        ("--max_num_seqs=4", "--max-num-seqs"),
        ("--tensor-par", "--tensor-parallel-size"),
        ("-tp", "-tp"),
        ("-tp=2", "-tp"),
    ],
)
def test_every_spelling_of_an_owned_flag_is_found(argument: str, flag: str) -> None:
    """With a value, with underscores or cut short: vLLM's parser takes them all."""
    assert owned_flag(argument) == flag


@pytest.mark.parametrize(
    "argument", ["--max-model-len", "--config-format=auto", "--enforce-eager", "-O3", "4096", "--", "-", "", "port"]
)
def test_other_arguments_are_the_users(argument: str) -> None:
    """A flag that only resembles an owned one, and any value, passes."""
    assert owned_flag(argument) is None


def test_every_owned_flag_finds_itself() -> None:
    """The table's own spelling is always refused."""
    assert [owned_flag(flag) for flag in OWNED_FLAGS] == list(OWNED_FLAGS)
