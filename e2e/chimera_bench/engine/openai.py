"""The OpenAI API as the simulator reads it: bodies of chats, completions, responses; errors in OpenAI's shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

import msgspec

from chimera_bench.engine.prompts import Message, Prompt, prompt_of


class Api(StrEnum):
    """The calls that generate, by path."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    RESPONSES = "/v1/responses"


class ApiError(Exception):
    """A request that is refused; its text names the rule, never the input."""

    def __init__(self, status: HTTPStatus, rule: str, *, param: str | None = None, kind: str = "") -> None:
        super().__init__(rule)
        self.status = status
        self.param = param
        self.kind = kind or f"{status.phrase.replace(' ', '')}Error"
        """The error's type in vLLM's words, such as `NotFoundError`."""


def bad_request(rule: str, *, param: str | None = None) -> ApiError:
    """Return the error for a call that breaks a rule of the engine."""
    return ApiError(HTTPStatus.BAD_REQUEST, rule, param=param)


def invalid_body(rule: str) -> ApiError:
    """Return the error for a body that is none of the API's."""
    return ApiError(HTTPStatus.BAD_REQUEST, rule, kind="Bad Request")


def unknown_model() -> ApiError:
    """Return the error for a model that this engine does not serve."""
    return ApiError(HTTPStatus.NOT_FOUND, "The model does not exist", param="model")


def unknown_response() -> ApiError:
    """Return the error for a response to go on from that this engine does not keep."""
    rule, kind = "The previous response is not found", "invalid_request_error"
    return ApiError(HTTPStatus.NOT_FOUND, rule, param="response_id", kind=kind)


def not_ready() -> ApiError:
    """Return the error of an engine that still loads its model."""
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "The engine is starting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A generation that a client asks for.

    Attributes:
        model: Name of the model; empty: the engine's only one.
        messages: What the prompt is made of.
        max_tokens: Output tokens it allows; None allows any number.
        previous: Id of the response that this one goes on from.
        store: Whether the response may be gone on from.
        include_usage: Whether a stream ends with a chunk of token counts.
        priority: vLLM's field, lower goes first.
    """

    api: Api
    model: str
    prompt: Prompt
    stream: bool
    include_usage: bool
    priority: int
    max_tokens: int | None
    messages: tuple[Message, ...] = ()
    previous: str | None = None
    store: bool = False


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _ChatMessage(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    def plain(self) -> Message:
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content or ()]
        return Message(self.role, "\n".join(parts))


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_Tokens = Annotated[int, msgspec.Meta(ge=1)] | None


class _Body(msgspec.Struct, kw_only=True):
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Tokens = None
    priority: int | None = None
    n: int | None = None

    def call(self, api: Api, messages: list[Message], max_tokens: int | None) -> Call:
        if (self.n or 1) != 1:
            raise bad_request("n must be 1: the simulator gives one answer", param="n")
        return Call(
            api=api,
            model=self.model or "",
            prompt=prompt_of(messages),
            stream=bool(self.stream),
            include_usage=bool(self.stream_options and self.stream_options.include_usage),
            priority=self.priority or 0,
            max_tokens=max_tokens,
        )


class _ChatBody(_Body, kw_only=True):
    messages: Annotated[list[_ChatMessage], msgspec.Meta(min_length=1)]
    max_completion_tokens: _Tokens = None


class _CompletionBody(_Body, kw_only=True):
    prompt: str


class _Item(msgspec.Struct):
    type: str | None = None
    role: str | None = None
    content: str | list[_Part] | None = None
    arguments: str = ""
    output: str | list[_Part] = ""

    def plain(self) -> Message:
        if self.type == "function_call":
            return Message("assistant", self.arguments)
        if self.type == "function_call_output":
            return _ChatMessage("tool", self.output).plain()
        return _ChatMessage(self.role or "user", self.content).plain()


class _ResponseBody(_Body, kw_only=True):
    input: str | Annotated[list[_Item], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: _Tokens = None
    store: bool | None = None

    def messages(self, history: Sequence[Message]) -> list[Message]:
        system = [Message("system", self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return [*system, *history, Message("user", self.input)]
        return [*system, *history, *(item.plain() for item in self.input)]


_CHAT = msgspec.json.Decoder(_ChatBody)
_COMPLETION = msgspec.json.Decoder(_CompletionBody)
_RESPONSE = msgspec.json.Decoder(_ResponseBody)

History = Callable[[str], tuple[Message, ...] | None]
"""Returns the conversation up to a response; None where it is not kept."""


def read_call(api: Api, body: bytes, history: History = lambda _: None) -> Call:
    """Return the call that a request body makes.

    Raises:
        ApiError: The body is not JSON, a field breaks a rule, or the response it goes on from is not kept.
    """
    try:
        if api is Api.RESPONSES:
            return _response_call(_RESPONSE.decode(body), history)
        if api is Api.CHAT:
            chat = _CHAT.decode(body)
            messages = [message.plain() for message in chat.messages]
            return chat.call(api, messages, chat.max_completion_tokens or chat.max_tokens)
        completion = _COMPLETION.decode(body)
        return completion.call(api, [Message("user", completion.prompt)], completion.max_tokens)
    except msgspec.ValidationError as error:
        # Says "Expected `str`, got `int` - at `$.model`" and never quotes the input.
        raise invalid_body(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid_body("The body is not valid JSON") from None


def _response_call(body: _ResponseBody, history: History) -> Call:
    previous = body.previous_response_id
    kept = history(previous) if previous else ()
    if kept is None:
        raise unknown_response()
    messages = body.messages(kept)
    call = body.call(Api.RESPONSES, messages, body.max_output_tokens)
    said = messages[1:] if body.instructions else messages  # instructions hold for one response only
    return replace(call, messages=tuple(said), previous=previous, store=body.store is not False)
