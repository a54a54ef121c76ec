"""The Responses API of the simulator."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from chimera_bench.engine import responses
from chimera_bench.engine.openai import Api, ApiError, Call, read_call
from chimera_bench.engine.prompts import Message
from chimera_bench.engine.responses import KeptResponses, Response

SAID = (Message("user", "Hello"), Message("assistant", "Hi"))


def response(finish_reason: str = "stop") -> Response:
    return Response(
        id="resp_1",
        model="m",
        created=1,
        prompt_tokens=4,
        output_tokens=2,
        finish_reason=finish_reason,
        text="some text",
    )


def events(stream: bytes) -> list[dict[str, Any]]:
    """Return the events of a stream, whose names are checked on the way."""
    found = []
    for frame in stream.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = frame.split(b"\n")
        found.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + found[-1]["type"].encode()
    return found


def read(kept: KeptResponses | None = None, **fields: Any) -> Call:
    body = json.dumps({"model": "m", "input": "Hello"} | fields).encode()
    return read_call(Api.RESPONSES, body, (kept or KeptResponses()).history)


@pytest.mark.parametrize(
    ("finish_reason", "status", "why"),
    [("stop", "completed", None), ("length", "incomplete", {"reason": "max_output_tokens"})],
)
def test_a_whole_response(finish_reason: str, status: str, why: dict[str, str] | None) -> None:
    """One message, how it ended, the token counts, and the word that it is simulated."""
    body = json.loads(response(finish_reason).whole(""))

    assert (body["object"], body["status"], body["incomplete_details"]) == ("response", status, why)
    assert [part["text"] for item in body["output"] for part in item["content"]] == ["some text"]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"], body["usage"]["total_tokens"]) == (4, 2, 6)
    assert body["system_fingerprint"] == "simulated"


def test_a_streamed_response() -> None:
    """Events in OpenAI's order, numbered, and the whole response in the last one."""
    made = response()
    stream = made.opening() + made.chunk("some ") + made.chunk("text") + made.closing(include_usage=False)
    found = events(stream)

    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in found] == list(range(10))
    assert (found[0]["response"]["usage"], found[0]["response"]["output"]) == (None, [])
    assert found[-1]["response"] == json.loads(response().whole(""))


def test_a_cut_stream_ends_as_completed() -> None:
    """As in vLLM, which has one last event for every stream; that it was cut stands in the response."""
    last = events(response("length").closing(include_usage=False))[-1]

    assert (last["type"], last["response"]["status"]) == ("response.completed", "incomplete")


def test_a_response_is_read_like_a_chat() -> None:
    """Instructions are the system message; the limit has another name."""
    call = read(instructions="Be brief.", max_output_tokens=5, priority=-3, stream=True)
    chat = {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    }

    assert (call.max_tokens, call.priority, call.stream, call.store) == (5, -3, True, True)
    assert call.prompt == read_call(Api.CHAT, json.dumps(chat).encode()).prompt


def test_items_are_messages() -> None:
    """Calls count as replies, their results as what a tool said."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "found"},
    ]

    call = read(input=items)

    assert (call.prompt.task, call.prompt.stage) == ("Hello", 1)
    assert [message.role for message in call.messages] == ["user", "assistant", "tool"]


def test_a_chain_goes_on_from_what_was_kept() -> None:
    """The prompt is the kept conversation with the new input; old instructions are gone."""
    kept = KeptResponses()
    kept.keep("resp_1", SAID)

    call = read(kept, input="And now?", previous_response_id="resp_1", instructions="Be brief.")

    assert (call.prompt.stage, call.previous) == (1, "resp_1")
    assert call.messages == (*SAID, Message("user", "And now?"))


def test_what_is_not_kept_is_not_found() -> None:
    """As vLLM says it: 404."""
    with pytest.raises(ApiError, match="not found") as refusal:
        read(previous_response_id="resp_9")

    assert (refusal.value.status, refusal.value.param) == (HTTPStatus.NOT_FOUND, "response_id")


@pytest.mark.parametrize("fields", [{"input": []}, {"input": 3}, {"max_output_tokens": 0}])
def test_a_body_that_breaks_a_rule_is_refused(fields: dict[str, Any]) -> None:
    """With 400."""
    with pytest.raises(ApiError) as refusal:
        read(**fields)

    assert refusal.value.status is HTTPStatus.BAD_REQUEST


def test_memory_for_responses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first."""
    monkeypatch.setattr(responses, "KEPT", 2)
    kept = KeptResponses()
    for number in range(3):
        kept.keep(f"resp_{number}", SAID)

    assert [kept.history(f"resp_{number}") for number in range(3)] == [None, SAID, SAID]
