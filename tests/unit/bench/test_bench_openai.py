"""Bodies of calls as the simulator reads them."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from chimera_bench.engine.openai import Api, ApiError, Call, read_call

USER = {"role": "user", "content": "Hello"}


def chat(**fields: Any) -> Call:
    return read_call(Api.CHAT, json.dumps({"model": "m", "messages": [USER]} | fields).encode())


def completion(**fields: Any) -> Call:
    return read_call(Api.COMPLETIONS, json.dumps({"model": "m", "prompt": "Hello"} | fields).encode())


def test_a_chat_is_read() -> None:
    """Every field that matters to the simulator arrives."""
    call = chat(stream=True, stream_options={"include_usage": True}, priority=-3, max_tokens=5, temperature=0.7)

    assert (call.api, call.model, call.stream, call.include_usage) == (Api.CHAT, "m", True, True)
    assert (call.priority, call.max_tokens, call.prompt.task) == (-3, 5, "Hello")


def test_defaults_are_those_of_the_api() -> None:
    """No stream, no limit, priority 0; null means the same as leaving a field out."""
    for call in (chat(), chat(stream=None, stream_options=None, priority=None, max_tokens=None, n=None)):
        assert (call.stream, call.include_usage, call.priority, call.max_tokens) == (False, False, 0, None)


def test_the_newer_name_of_the_limit_wins() -> None:
    """`max_completion_tokens` replaced `max_tokens` in chats."""
    assert chat(max_completion_tokens=7, max_tokens=5).max_tokens == 7


def test_a_completion_is_a_chat_of_one_user_message() -> None:
    """Its prompt is known like a chat's."""
    assert completion(max_tokens=5).prompt == chat().prompt


def test_content_may_come_in_parts() -> None:
    """Texts are joined; parts without text and messages without content count as empty."""
    parts = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "x"}}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]

    call = chat(messages=messages)

    assert (call.prompt.task, call.prompt.stage) == ("Hello\n", 1)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "object"),
        (b'{"model": 3, "messages": [{"role": "user"}]}', "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": []}', "messages"),
        (b'{"model": "m", "messages": [{"content": "x"}]}', "role"),
        (b'{"model": "m", "messages": [{"role": "user"}], "max_tokens": 0}', "max_tokens"),
        (b'{"model": "m", "messages": [{"role": "user"}], "priority": "high"}', "priority"),
    ],
    ids=["cut", "no-text", "no-object", "model", "no-messages", "empty", "no-role", "limit", "priority"],
)
def test_a_body_that_breaks_a_rule_is_refused(body: bytes, rule: str) -> None:
    """With 400 and a sentence that names the field or the rule."""
    with pytest.raises(ApiError, match=rule) as refusal:
        read_call(Api.CHAT, body)

    assert (refusal.value.status, refusal.value.kind) == (HTTPStatus.BAD_REQUEST, "Bad Request")


def test_one_answer_is_all_there_is() -> None:
    """Where vLLM gives several to one prompt."""
    with pytest.raises(ApiError, match="n must be 1") as refusal:
        chat(n=2)

    assert refusal.value.kind == "BadRequestError"


@pytest.mark.parametrize("body", [{"messages": [USER]}, {"model": None, "messages": [USER]}])
def test_a_model_need_not_be_named(body: dict[str, Any]) -> None:
    """An engine has only one, as vLLM sees it."""
    assert read_call(Api.CHAT, json.dumps(body).encode()).model == ""


def test_deep_nesting_is_refused_like_any_bad_body() -> None:
    """It must not end the process."""
    with pytest.raises(ApiError):
        read_call(Api.CHAT, b'{"model": "m", "messages": ' + b"[" * 100_000)


def test_token_ids_are_refused() -> None:
    """The simulator has no vocabulary to read them with."""
    with pytest.raises(ApiError, match="prompt"):
        completion(prompt=[1, 2, 3])


def test_a_refusal_never_quotes_the_input() -> None:
    """Errors go into logs; prompts must not."""
    with pytest.raises(ApiError) as refusal:
        read_call(Api.CHAT, json.dumps({"model": ["secret"], "messages": [USER]}).encode())

    assert "secret" not in str(refusal.value)
