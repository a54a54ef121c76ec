import json

import pytest

from chimera_router.errors import BodyTooLarge, InvalidRequest
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, Message, parse

LIMITS = Limits()


def body(**fields: object) -> bytes:
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello"}], **fields}).encode()


def test_chat_is_read_as_far_as_the_decision_needs() -> None:
    """Model, messages, stream and the token limit are read; all else is left alone."""
    parsed = parse(Api.CHAT, body(stream=True, max_tokens=9, temperature=0.5, tools=[{"type": "x"}]), LIMITS)

    assert (parsed.model, parsed.stream, parsed.max_tokens, parsed.messages) == (
        "auto",
        True,
        9,
        (Message("user", "hello"),),
    )


def test_newer_token_limit_wins() -> None:
    """`max_completion_tokens` replaces the older `max_tokens`."""
    assert parse(Api.CHAT, body(max_tokens=9, max_completion_tokens=5), LIMITS).max_tokens == 5


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"role": "user", "content": "a"}, "a", id="text"),
        pytest.param({"role": "user", "content": [{"type": "text", "text": "a"}]}, "a", id="parts"),
        pytest.param(
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "a"}],
            },
            "\na",
            id="parts with an image",
        ),
        pytest.param({"role": "assistant", "content": None}, "", id="no content"),
        pytest.param(
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
            "f({})",
            id="tool calls",
        ),
        pytest.param({"role": "assistant", "tool_calls": [1]}, "", id="calls of another kind"),
    ],
)
def test_message_content_comes_in_every_form_of_the_api(message: dict[str, object], expected: str) -> None:
    """Text, parts, nothing and tool calls all give a message that compares equal when its meaning does."""
    assert parse(Api.CHAT, body(messages=[message]), LIMITS).messages[0].body == expected


def test_messages_keep_apart_what_they_show_and_answer() -> None:
    """Pictures, sound and the call that a result belongs to are part of a message, though none is text."""
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "input_audio", "input_audio": {"data": "y"}}]
    shown, answered = parse(
        Api.CHAT,
        body(messages=[{"role": "user", "content": parts}, {"role": "tool", "tool_call_id": "c-1", "content": "a"}]),
        LIMITS,
    ).messages

    assert shown == Message("user", "\n", attachments=b'{"url": "x"}{"data": "y"}')
    assert answered == Message("tool", "a", answers="c-1")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [("hello", "hello"), (["a", "b"], '["a","b"]'), ([1, 2], "[1,2]"), ([[1], [2]], "[[1],[2]]")],
)
def test_completion_prompt_counts_as_one_user_message(prompt: object, expected: str) -> None:
    """Every form of a completion's prompt is one user message."""
    parsed = parse(Api.COMPLETIONS, json.dumps({"model": "m", "prompt": prompt}).encode(), LIMITS)

    assert parsed.messages == (Message("user", expected),)


@pytest.mark.parametrize(
    ("roles", "preamble"),
    [
        (["system", "developer", "user", "system"], "system-0\ndeveloper-1"),
        (["user", "system"], ""),
        (["developer"], "developer-0"),
    ],
)
def test_preamble_is_what_stands_before_the_first_user(roles: list[str], preamble: str) -> None:
    """System and developer messages; later ones belong to the conversation."""
    messages = [{"role": role, "content": f"{role}-{index}"} for index, role in enumerate(roles)]

    assert parse(Api.CHAT, body(messages=messages), LIMITS).preamble == preamble


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        (
            [{"type": "function", "function": {"name": "b"}}, {"type": "function", "function": {"name": "a"}}],
            ("b", "a"),
        ),
        ([], ()),
        (None, ()),
        ([{"type": "x"}], ()),
        ("none", ()),
        ([{"function": {"name": 3}}], ()),
    ],
)
def test_tools_are_read_by_name_and_never_refused(tools: object, names: tuple[str, ...]) -> None:
    """What is no list of functions is the engine's to refuse."""
    assert parse(Api.CHAT, body(tools=tools), LIMITS).tools == names


def test_a_completion_has_no_preamble_and_no_tools() -> None:
    """Its prompt is a user's."""
    parsed = parse(Api.COMPLETIONS, json.dumps({"model": "m", "prompt": "x", "tools": [1]}).encode(), LIMITS)

    assert (parsed.preamble, parsed.tools) == ("", ())


def test_task_is_the_last_user_message_before_the_first_reply() -> None:
    """Preambles before the task and observations after a reply are not the task."""
    roles = ["system", "user", "user", "assistant", "user"]
    messages = [{"role": role, "content": f"{role}-{index}"} for index, role in enumerate(roles)]

    assert parse(Api.CHAT, body(messages=messages), LIMITS).task == "user-2"


@pytest.mark.parametrize(
    ("data", "says", "param"),
    [
        pytest.param(b"no json", "not valid JSON", None, id="not json"),
        pytest.param(b"", "not valid JSON", None, id="empty"),
        pytest.param(b'{"model": NaN}', "not valid JSON", None, id="nan"),
        pytest.param('{"model": "auto"}'.encode("utf-16"), "not valid JSON", None, id="utf-16"),
        pytest.param(b'{"model": "\xff"}', "not valid JSON", None, id="not utf-8"),
        pytest.param(b"[]", "Expected object, got array", None, id="not an object"),
        pytest.param(body().replace(b"model", b"mode"), "missing required field model", None, id="no model"),
        pytest.param(body(model=3), "Expected str, got int at model", "model", id="model of wrong type"),
        pytest.param(body(messages=[]), "at messages", "messages", id="no messages"),
        pytest.param(body(messages=[{"content": "x"}]), "at messages[0]", "messages[0]", id="message without role"),
        pytest.param(body(n=0), "at n", "n", id="n of zero"),
        pytest.param(body(n=17), "n must be at most 16", "n", id="n above the cap"),
        pytest.param(body(max_tokens=-1), "at max_tokens", "max_tokens", id="negative tokens"),
        pytest.param(body(max_tokens=10**7), "at most 1000000", "max_tokens", id="tokens above the cap"),
        pytest.param(body(x=json.loads("[" * 70 + "]" * 70)), "nests deeper", None, id="deep"),
    ],
)
def test_bad_body_names_field_and_rule(data: bytes, says: str, param: str | None) -> None:
    """What breaks a rule is refused with the field's name and the rule."""
    with pytest.raises(InvalidRequest) as refused:
        parse(Api.CHAT, data, LIMITS)

    assert says in str(refused.value)
    assert refused.value.param == param


def test_refusal_never_quotes_the_input() -> None:
    """An error says what was expected, not what came: prompts and keys stay out of it."""
    with pytest.raises(InvalidRequest) as refused:
        parse(Api.CHAT, body(model={"secret-canary": 1}, stream="secret-canary"), LIMITS)

    assert "canary" not in str(refused.value)


def test_absurd_nesting_is_refused_not_crashed_on() -> None:
    """A hundred thousand brackets end in a refusal."""
    with pytest.raises(InvalidRequest, match="nests deeper"):
        parse(Api.CHAT, b'{"model":"a","messages":' + b"[" * 100_000, LIMITS)


def test_brackets_inside_text_are_not_nesting() -> None:
    """A prompt about brackets is a prompt, not a deep body."""
    assert parse(Api.CHAT, body(messages=[{"role": "user", "content": '[{"\\"[' * 500}]), LIMITS).model == "auto"


def test_body_over_the_cap_is_refused_before_it_is_read() -> None:
    """Size is checked first."""
    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        parse(Api.CHAT, b"x" * 11, Limits(max_body_bytes=10))
