"""Streamed replies, read whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_bench.engine.answers import DONE, Answer
from chimera_bench.engine.openai import Api
from chimera_bench.replay.stream import CutShort, Reply, read_reply

ANSWER = Answer(api=Api.CHAT, id="i", model="m", created=1, prompt_tokens=4, output_tokens=6, finish_reason="stop")
STREAM = ANSWER.opening() + ANSWER.chunk("some ") + ANSWER.chunk("text") + ANSWER.closing(include_usage=True)


def test_a_reply_is_its_text_and_its_tokens() -> None:
    """Text from all chunks, tokens from the usage."""
    assert read_reply(STREAM) == Reply("some text", 6)


@given(st.lists(st.text()))
def test_a_reply_survives_being_streamed(parts: list[str]) -> None:
    """Whatever the text: line breaks and quotes do not end an event."""
    chunks = b"".join(ANSWER.chunk(part.encode(errors="replace").decode()) for part in parts)
    reply = read_reply(ANSWER.opening() + chunks + ANSWER.closing(include_usage=True))

    assert reply.text == "".join(parts).encode(errors="replace").decode()


@pytest.mark.parametrize("length", range(0, len(STREAM) - 2, 7))
def test_a_stream_that_stops_early_is_cut_short(length: int) -> None:
    """Wherever the connection broke."""
    with pytest.raises(CutShort):
        read_reply(STREAM[:length])


def test_a_stream_without_usage_is_cut_short() -> None:
    """Its tokens would be a guess."""
    with pytest.raises(CutShort):
        read_reply(ANSWER.chunk("x") + ANSWER.closing(include_usage=False))


@pytest.mark.parametrize("event", [b"data: {\n\n", b'data: {"error": {"message": "x"}}\n\n'], ids=["no-json", "error"])
def test_an_event_that_is_no_chunk_cuts_the_stream_short(event: bytes) -> None:
    """An engine that fails amid a stream reports it in an event."""
    with pytest.raises(CutShort):
        read_reply(STREAM.removesuffix(DONE) + event + DONE)
