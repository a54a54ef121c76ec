"""What others wrote, on its way into a status that many may read."""

import pytest

from chimera_operator.planning.causes.texts import LONGEST, clean, last_words


@pytest.mark.parametrize(
    "secret",
    [
        "hf_AbCdEfGhIjKlMnOp",
        "sk-proj-0123456789abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "Bearer abcdefgh12345678",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    """Wherever it stands in the text."""
    for text in (f"failed with {secret}", f"({secret})", f"header: {secret}, more"):
        assert secret not in clean(text)
        assert "[hidden]" in clean(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=geheim rest", "password=[hidden] rest"),
        ("HF_TOKEN: abc", "HF_TOKEN: [hidden]"),
        ("api_key='xyz' and on", "api_key=[hidden] and on"),
        ('{"client_secret": "xyz"}', '{"client_secret": [hidden]'),
        ("https://user:pass@host/x", "https://host/x"),
        ("https://bucket/x?X-Amz-Signature=abc&y=1 failed", "https://bucket/x failed"),
    ],
)
def test_values_with_telling_names_are_hidden(text: str, shown: str) -> None:
    """And so are accounts and queries in URLs, where signatures stand."""
    assert clean(text) == shown


def test_a_text_is_one_line_without_colours() -> None:
    """Control characters would break tables and terminals."""
    assert clean("\x1b[31mred\x1b[0m\n\ttwo\x00three\u2028four") == "red two three four"


def test_a_text_is_short() -> None:
    """What is cut off is seen to be."""
    assert clean("x" * 5000) == "x" * (LONGEST - 1) + "…"
    assert clean("word " * 3, longest=8) == "word wo…"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("INFO ok\nValueError: bad shape\n", "ValueError: bad shape"),
        (
            "(EngineCore pid=7) ERROR 01-01 [core.py:9] torch.OutOfMemoryError: too much",
            "torch.OutOfMemoryError: too much",
        ),
        ("vllm serve: error: argument --x: invalid int value: 'y'", "error: argument --x: invalid int value: 'y'"),
        ("A: 1\nKeyError: 'a'\nRuntimeError: Engine core failed. See root cause above.", "KeyError: 'a'"),
        ("\x1b[31mTypeError: no\x1b[0m", "TypeError: no"),
        ("all is well\nnothing here", ""),
        ("", ""),
    ],
)
def test_last_words_are_the_last_error_that_is_named(log: str, words: str) -> None:
    """Not the line by which an engine only says that something went wrong before."""
    assert last_words(log) == words


@pytest.mark.parametrize(
    "log",
    [
        "ValueError: prompt 'my diary' is too long",
        "RuntimeError: could not parse {'messages': [{'role': 'user', 'content': 'my diary'}]}",
        "Received request cmpl-1: my diary\n",
        "TypeError: bad input_ids for my diary",
    ],
)
def test_what_users_wrote_is_never_repeated(log: str) -> None:
    """Of an error about a prompt only its kind is told, and no line that is not an error."""
    assert "diary" not in last_words(log)


def test_a_secret_in_last_words_is_hidden_too() -> None:
    """Tokens stand in the errors of clients."""
    assert last_words("HTTPError: 401 for hf_AbCdEfGhIjKlMnOp") == "HTTPError: 401 for [hidden]"
