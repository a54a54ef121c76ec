import json

import pytest

from chimera_router.parsing import replies
from chimera_router.parsing.messages import ToolCall
from chimera_router.parsing.replies import Answer, Reply, ReplyReader

CALLS = (ToolCall("c-1", "look", '{"at":"x"}'), ToolCall("c-2", "act", "{}"))
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Look: "}]},
        {"type": "function_call", "call_id": "c-1", "name": "look", "arguments": '{"at":"x"}'},
        {"type": "function_call", "call_id": "c-2", "name": "act", "arguments": "{}"},
    ],
}


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def delta(index: int = 0, **fields: object) -> dict[str, object]:
    return {"choices": [{"index": index, "delta": fields}]}


def piece(index: int, arguments: str, **fields: object) -> dict[str, object]:
    name = {"name": fields.pop("name")} if "name" in fields else {}
    return {"index": index, "function": {"arguments": arguments, **name}, **fields}


def read(*chunks: bytes) -> Answer:
    reader = ReplyReader()
    for chunk in chunks:
        reader.feed(chunk)
    return reader.answer()


def calls(*made: ToolCall) -> list[dict[str, object]]:
    return [{"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in made]


CHAT = json.dumps({"choices": [{"message": {"content": "Look: ", "tool_calls": calls(*CALLS)}}]}).encode()
STREAMED_CHAT = sse(
    delta(role="assistant", content=""),
    delta(reasoning_content="hm"),
    delta(content="Loo"),
    delta(content="k: "),
    delta(tool_calls=[piece(0, "", id="c-1", name="look")]),
    delta(tool_calls=[piece(0, '{"at"')]),
    delta(tool_calls=[piece(0, ':"x"}')]),
    delta(tool_calls=[piece(1, "{}", id="c-2", name="act")]),
    {"choices": [], "usage": {"prompt_tokens": 1}},
)


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        pytest.param(CHAT, "", id="chat"),
        pytest.param(STREAMED_CHAT + b"data: [DONE]\n\n", "", id="streamed chat"),
        pytest.param(json.dumps(RESPONSE).encode(), "resp_1", id="response"),
        pytest.param(
            b"event: response.completed\n" + sse({"type": "response.completed", "response": RESPONSE}),
            "resp_1",
            id="streamed response",
        ),
    ],
)
def test_what_was_said_is_read_from_every_api(answer: bytes, response: str) -> None:
    """Text and calls are the same whole and streamed, wherever the bytes are cut."""
    expected = Answer((Reply("Look: ", CALLS),), response)

    assert read(answer) == expected
    assert read(*(bytes([byte]) for byte in answer)) == expected
    assert read(answer.replace(b"\n", b"\r\n")) == expected


def test_a_completion_is_a_reply() -> None:
    """Its text is what was said."""
    assert read(b'{"choices":[{"index":0,"text":"once"}]}').replies == (Reply("once"),)
    assert read(sse({"choices": [{"text": "on"}]}, {"choices": [{"text": "ce"}]})).replies == (Reply("once"),)


def test_choices_are_replies_of_their_own() -> None:
    """Pieces of several choices may come in any order."""
    answer = read(sse(delta(1, content="b"), delta(0, content="a"), delta(1, content="B")))

    assert set(answer.replies) == {Reply("a"), Reply("bB")}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<h1>oops</h1>", id="no JSON"),
        pytest.param(b'{"choices":[{"message":', id="cut JSON"),
        pytest.param(b"data: {oops}\n\n", id="broken event"),
        pytest.param(b'{"choices":3}', id="another shape"),
        pytest.param(b'{"usage":{"prompt_tokens":1}}', id="no choices"),
        pytest.param(b'{"choices":[{"message":{"content":"\xff"}}]}', id="not utf-8"),
        pytest.param(sse({"type": "response.created", "response": RESPONSE}), id="only begun"),
    ],
)
def test_what_cannot_be_read_says_nothing(answer: bytes) -> None:
    """An answer is never refused for what it looks like."""
    assert read(answer) == Answer()


def test_an_answer_is_complete_when_its_last_word_is_there() -> None:
    """Clients go on from the end mark, the final event or the last brace; not from a pause in the middle."""
    for answer in (
        CHAT,
        STREAMED_CHAT + b"data: [DONE]\n\n",
        sse({"type": "response.incomplete", "response": RESPONSE}),
    ):
        reader = ReplyReader()
        reader.feed(answer[:-9])
        assert not reader.complete
        reader.feed(answer[-9:])
        assert reader.complete


def test_a_body_that_pauses_after_a_brace_is_not_complete() -> None:
    """Braces inside are no end."""
    reader = ReplyReader()

    reader.feed(b'{"choices":[],"usage":{}')

    assert not reader.complete


@pytest.mark.parametrize("streamed", [False, True])
def test_memory_for_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch, *, streamed: bool) -> None:
    """A longer answer is read no further, and nothing of it stays."""
    monkeypatch.setattr(replies, "MAX_HELD", 1000)
    reader = ReplyReader()
    for _ in range(300):
        reader.feed(sse(delta(content="four")) if streamed else b'{"four')

    assert reader.answer() == Answer()
    assert not reader._pending
    assert not reader._choices
