import json

import pytest

from chimera_router.errors import InvalidRequest
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.messages import Message, ParsedRequest, ToolCall
from chimera_router.parsing.openai import Api, parse

LIMITS = Limits()
USER = Message("user", "hello")


def body(**fields: object) -> bytes:
    return json.dumps({"model": "auto", "input": "hello", **fields}).encode()


def read(**fields: object) -> ParsedRequest:
    return parse(Api.RESPONSES, body(**fields), LIMITS)


def test_a_response_is_read_as_far_as_the_decision_needs() -> None:
    """Model, input, stream, limit, tools and the response it goes on from are read; all else is left alone."""
    tools = [{"type": "function", "name": "look"}, {"type": "function", "name": "act"}]
    parsed = read(stream=True, max_output_tokens=9, tools=tools, previous_response_id="resp_1", temperature=0.5)

    assert (parsed.model, parsed.stream, parsed.max_tokens, parsed.messages) == ("auto", True, 9, (USER,))
    assert (parsed.tools, parsed.previous) == (("look", "act"), "resp_1")


def test_defaults_are_those_of_the_api() -> None:
    """Null means the same as leaving a field out."""
    for parsed in (read(), read(stream=None, max_output_tokens=None, previous_response_id=None, instructions=None)):
        assert (parsed.stream, parsed.max_tokens, parsed.previous, parsed.tools) == (False, None, "", ())


def test_instructions_are_the_preamble() -> None:
    """They stand where a chat has its system message."""
    parsed = read(instructions="be brief")

    assert (parsed.preamble, parsed.task) == ("be brief", "hello")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({"role": "user", "content": "hello"}, USER, id="message without a type"),
        pytest.param({"type": "message", "role": "user", "content": "hello"}, USER, id="message"),
        pytest.param({"role": "user", "content": [{"type": "input_text", "text": "hello"}]}, USER, id="parts"),
        pytest.param(
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]},
            Message("user", "", attachments=b'"data:x"'),
            id="image",
        ),
        pytest.param(
            {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            Message("assistant", "no"),
            id="refusal",
        ),
        pytest.param(
            {"type": "function_call", "call_id": "c-1", "name": "look", "arguments": "{}", "id": "fc_1"},
            Message("assistant", "", (ToolCall("c-1", "look", "{}"),)),
            id="call",
        ),
        pytest.param(
            {"type": "custom_tool_call", "call_id": "c-1", "name": "look", "input": "x"},
            Message("assistant", "", (ToolCall("c-1", "look", "x"),)),
            id="custom call",
        ),
        pytest.param(
            {"type": "function_call_output", "call_id": "c-1", "output": "found"},
            Message("tool", "found", answers="c-1"),
            id="result",
        ),
        pytest.param(
            {"type": "function_call_output", "call_id": "c-1", "output": [{"type": "input_text", "text": "found"}]},
            Message("tool", "found", answers="c-1"),
            id="result in parts",
        ),
        pytest.param(
            {"type": "function_call_output", "call_id": "c-1", "output": {"x": 1}},
            Message("tool", "", answers="c-1", attachments=b'{"x": 1}'),
            id="result of an unknown kind",
        ),
        pytest.param(
            {"type": "item_reference", "id": "msg_1"},
            Message("item_reference", "", attachments=b"msg_1"),
            id="reference",
        ),
    ],
)
def test_items_come_in_every_form_of_the_api(item: dict[str, object], expected: Message) -> None:
    """Messages, calls, their results and references all become messages."""
    assert read(input=[item]).messages == (expected,)


def test_what_one_answer_said_and_called_is_one_message() -> None:
    """Neighbouring items of the assistant belong together, and reasoning between them is left out."""
    items = [
        {"role": "user", "content": "hello"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "first"}]},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "act", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "x"},
        {"role": "assistant", "content": "then"},
    ]

    calls = (ToolCall("a", "look", "{}"), ToolCall("b", "act", "{}"))
    assert read(input=items).messages == (
        USER,
        Message("assistant", "first", calls),
        Message("tool", "x", answers="a"),
        Message("assistant", "then"),
    )


@pytest.mark.parametrize(
    ("fields", "says", "param"),
    [
        pytest.param({"input": None}, "at input", "input", id="no input"),
        pytest.param({"input": []}, "at input", "input", id="empty input"),
        pytest.param({"input": [3]}, "at input[0]", "input[0]", id="item of wrong type"),
        pytest.param({"input": [{"role": "user", "content": 3}]}, "content", "input[0].content", id="content"),
        pytest.param({"model": 3}, "at model", "model", id="model"),
        pytest.param({"instructions": 3}, "instructions", "instructions", id="instructions"),
        pytest.param({"previous_response_id": 3}, "previous", "previous_response_id", id="previous response"),
        pytest.param({"max_output_tokens": 0}, "max_output_tokens", "max_output_tokens", id="no tokens"),
        pytest.param({"max_output_tokens": 10**7}, "at most 1000000", "max_output_tokens", id="tokens above the cap"),
        pytest.param({"background": True}, "background must be false", "background", id="background"),
    ],
)
def test_bad_body_names_field_and_rule(fields: dict[str, object], says: str, param: str) -> None:
    """What breaks a rule is refused with the field's name and the rule."""
    with pytest.raises(InvalidRequest) as refused:
        read(**fields)

    assert says in str(refused.value)
    assert refused.value.param == param


def test_a_chat_body_is_not_a_response() -> None:
    """The field that is missing is named."""
    with pytest.raises(InvalidRequest, match="input"):
        parse(Api.RESPONSES, b'{"model":"auto","messages":[]}', LIMITS)
