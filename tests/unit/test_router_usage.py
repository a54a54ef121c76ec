import pytest

from chimera_router.parsing.usage import Usage, UsageScanner

CHUNK = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
USAGE = b'"usage":{"prompt_tokens":7,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":3}}'

RESPONSE = (
    b'"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3},"output_tokens":10,'
    b'"output_tokens_details":{"reasoning_tokens":4},"total_tokens":17}'
)


def scan(*chunks: bytes) -> UsageScanner:
    scanner = UsageScanner()
    for chunk in chunks:
        scanner.feed(chunk)
    return scanner


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((b'{"choices":[],' + USAGE + b"}",), id="json"),
        pytest.param((CHUNK, b'data: {"choices":[],' + USAGE + b"}\n\n", b"data: [DONE]\n\n"), id="sse"),
        pytest.param(tuple(bytes([byte]) for byte in b"{" + USAGE + b"}"), id="one byte at a time"),
        pytest.param((RESPONSE,), id="response"),
        pytest.param((b'data: {"usage":null}\n\n', b"data: {" + RESPONSE + b"}\n\n"), id="streamed response"),
        pytest.param((b'{"usage" : {"prompt_tokens": 7, "completion_tokens": 10, "cached_tokens": 3}}',), id="spaced"),
    ],
)
def test_usage_is_found_however_the_answer_is_cut(answer: tuple[bytes, ...]) -> None:
    """The engine's own counts are found whole, streamed or split anywhere."""
    assert scan(*answer).usage == Usage(7, 10, 3)


def test_usage_in_the_text_is_not_usage() -> None:
    """An answer that talks about usage does not change the counts."""
    assert scan(b'{"content":"set \\"usage\\":{\\"completion_tokens\\":99} there"}').usage == Usage()


def test_stream_without_usage_counts_its_events() -> None:
    """A stream that was not asked for usage counts one token an event, the end mark left out."""
    assert scan(CHUNK + CHUNK, CHUNK, b"data: [DONE]\n\n").output_tokens == 3


def test_engines_count_replaces_the_events() -> None:
    """Once the engine has counted, its number stands."""
    assert scan(CHUNK, CHUNK, b"data: {" + USAGE + b"}\n\n").output_tokens == 10
