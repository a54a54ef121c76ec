"""Read OpenAI chat and completion requests; rewrite what the decision changes."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Annotated

import msgspec

from chimera_router.errors import InvalidRequest
from chimera_router.parsing.limits import Limits

CHARACTERS_PER_TOKEN = 4
"""Of English text and code in the vocabularies of current models; prompts are only compared with one another by it."""


_PREAMBLE_ROLES = frozenset(("system", "developer"))


class Api(StrEnum):
    """The calls that pass through the picker, by path."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `body` is its content and tool calls, as text equal when they are."""

    role: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """An OpenAI request, as far as the picker reads it.

    Attributes:
        model: As the client wrote it.
        messages: The conversation; a completion's prompt counts as one user message.
        choices: Answers asked for, each a sequence of its own in the engine.
        tools: Names of the functions that the model may call, in the client's order.
        max_tokens: Output tokens the client allows; None allows any number.
        prompt_tokens: Estimate, from the length of the text.
        body: The bytes as they came.
    """

    api: Api
    model: str
    messages: tuple[Message, ...]
    stream: bool
    max_tokens: int | None
    prompt_tokens: int
    body: bytes
    tools: tuple[str, ...] = ()
    choices: int = 1

    @property
    def preamble(self) -> str:
        """What stands before the first word of a user: the system's and the developer's messages."""
        leading = takewhile(lambda message: message.role in _PREAMBLE_ROLES, self.messages)
        return "\n".join(message.body for message in leading)

    @property
    def task(self) -> str:
        """The task's text: the last user message before the first reply. Later turns do not change what was asked."""
        task = ""
        for message in self.messages:
            if message.role == "assistant":
                break
            if message.role == "user":
                task = message.body
        return task


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _ChatMessage(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()

    def plain(self) -> Message:
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content or ())
        return Message(self.role, text + bytes(self.tool_calls).decode(errors="replace"))


_Tokens = Annotated[int, msgspec.Meta(ge=1)] | None


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = None
    max_tokens: _Tokens = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _ChatBody(_Body, kw_only=True):
    messages: Annotated[list[_ChatMessage], msgspec.Meta(min_length=1)]
    max_completion_tokens: _Tokens = None
    tools: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct):
    function: _Function


class _CompletionBody(_Body, kw_only=True):
    prompt: str | list[str | int | list[int]]


_CHAT = msgspec.json.Decoder(_ChatBody)
_COMPLETION = msgspec.json.Decoder(_CompletionBody)
_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def parse(api: Api, body: bytes, limits: Limits) -> ParsedRequest:
    """Return the request.

    Raises:
        BodyTooLarge: The body passes the cap.
        InvalidRequest: It is not JSON, or a field breaks a rule; the text names field and rule, never the value.
    """
    limits.check_size(len(body))
    limits.check_depth(body)
    try:
        fields = _CHAT.decode(body) if api is Api.CHAT else _COMPLETION.decode(body)
    except msgspec.ValidationError as error:
        raise _broken_rule(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON") from None
    _check(fields, limits)
    messages = _messages(fields)
    return ParsedRequest(
        api=api,
        model=fields.model,
        messages=messages,
        stream=bool(fields.stream),
        max_tokens=_max_tokens(fields),
        prompt_tokens=sum(len(message.body) for message in messages) // CHARACTERS_PER_TOKEN + 1,
        body=body,
        tools=_tools(fields),
        choices=fields.n or 1,
    )


def rewrite(body: bytes, *, model: str, priority: int | None) -> bytes:
    """Return the body for the engine: its own name for the model, and its place in the queue or none.

    The client's `priority` never survives. All other fields keep their bytes; of a repeated field the last one stays,
    so the engine reads what the picker read.
    """
    fields = _FIELDS.decode(body)
    fields["model"] = msgspec.Raw(_ENCODER.encode(model))
    fields.pop("priority", None)
    if priority is not None:
        fields["priority"] = msgspec.Raw(_ENCODER.encode(priority))
    return _ENCODER.encode(fields)


def _broken_rule(text: str) -> InvalidRequest:
    """Turn msgspec's "Expected `str`, got `int` - at `$.model`", which never quotes input, into the API's words."""
    rule, _, place = text.partition(" - at `$.")
    param = place.rstrip("`") or None
    return InvalidRequest(f"{rule.replace('`', '')}{f' at {param}' if param else ''}", param=param)


def _check(fields: _Body, limits: Limits) -> None:
    if (fields.n or 1) > limits.max_choices:
        raise InvalidRequest(f"n must be at most {limits.max_choices}", param="n")
    if (_max_tokens(fields) or 1) > limits.max_output_tokens:
        raise InvalidRequest(f"max_tokens must be at most {limits.max_output_tokens}", param="max_tokens")


def _max_tokens(fields: _Body) -> int | None:
    if isinstance(fields, _ChatBody):
        return fields.max_completion_tokens or fields.max_tokens
    return fields.max_tokens


def _tools(fields: _ChatBody | _CompletionBody) -> tuple[str, ...]:
    """Return the names of the tools; tools of a kind that is not known here are the engine's to judge."""
    if not isinstance(fields, _ChatBody) or not bytes(fields.tools):
        return ()
    try:
        return tuple(tool.function.name for tool in _TOOLS.decode(fields.tools) or ())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


def _messages(fields: _ChatBody | _CompletionBody) -> tuple[Message, ...]:
    if isinstance(fields, _ChatBody):
        return tuple(message.plain() for message in fields.messages)
    prompt = fields.prompt
    return (Message("user", prompt if isinstance(prompt, str) else _ENCODER.encode(prompt).decode()),)
