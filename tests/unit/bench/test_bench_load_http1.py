"""Reading and writing messages of HTTP/1.1."""

import pytest

from chimera_bench.load import answers, http1
from chimera_bench.load.http1 import Message


def fed(*pieces: bytes) -> tuple[Message, list[bool]]:
    """Return a message and what it said after each piece."""
    message = Message()
    return message, [message.feed(piece) for piece in pieces]


def test_an_answer_with_a_length_ends_with_its_last_byte() -> None:
    """It is complete when as many bytes have come as it has announced."""
    data = http1.answer(b'{"a": 1}', content_type="application/json")

    message, complete = fed(data[:-1], data[-1:])

    assert complete == [False, True]
    assert (message.status, message.size, message.intact) == (200, 8, True)


def test_a_chunked_answer_ends_with_its_last_chunk() -> None:
    """It is complete with the chunk of no bytes."""
    head, event, end = answers.stream_head(1), answers.event(), answers.stream_end(1)

    message, complete = fed(head, event, end[:-3], end[-3:])

    assert complete == [False, False, False, True]
    assert message.intact


def test_a_request_without_a_body_ends_with_its_head() -> None:
    """Questions for metrics and health have none."""
    message, complete = fed(http1.request("GET", "/metrics"))

    assert complete == [True]
    assert message.head.startswith(b"get /metrics ")


def test_headers_are_found_whatever_their_case() -> None:
    """One that is missing is empty."""
    message, _ = fed(b"HTTP/1.1 503 Service Unavailable\r\nX-Reason:  Gone \r\ncontent-length: 0\r\n\r\n")

    assert (message.status, message.header("x-reason"), message.header("x-other")) == (503, "gone", "")


@pytest.mark.parametrize(
    "body", [b'{"cut": ', b"data: {}\n\n", b""], ids=["half an object", "no end of the stream", "nothing"]
)
def test_a_body_that_does_not_end_as_engines_end_it_is_not_intact(body: bytes) -> None:
    """What a gateway passes on as complete need not be what the engine had to say."""
    message, complete = fed(http1.answer(body, content_type="application/json"))

    assert complete == [True]
    assert not message.intact


def test_requests_carry_their_length_and_more_headers() -> None:
    """A request is its head and its body."""
    assert http1.request("POST", "/v1", b"abc", headers="a: 1\r\n").endswith(b"content-length: 3\r\na: 1\r\n\r\nabc")
