"""Read OpenAI requests."""

import msgspec

from chimera_router.errors import InvalidRequest
from chimera_router.parsing.chat import ChatBody, CompletionBody
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.messages import CHARACTERS_PER_TOKEN, Api, Message, ParsedRequest, ToolCall
from chimera_router.parsing.responses import ResponseBody

__all__ = ["CHARACTERS_PER_TOKEN", "Api", "Message", "ParsedRequest", "ToolCall", "parse"]

_Body = ChatBody | CompletionBody | ResponseBody

_DECODERS: dict[
    Api, msgspec.json.Decoder[ChatBody] | msgspec.json.Decoder[CompletionBody] | msgspec.json.Decoder[ResponseBody]
] = {
    Api.CHAT: msgspec.json.Decoder(ChatBody),
    Api.COMPLETIONS: msgspec.json.Decoder(CompletionBody),
    Api.RESPONSES: msgspec.json.Decoder(ResponseBody),
}


def parse(api: Api, body: bytes, limits: Limits) -> ParsedRequest:
    """Return the request.

    Raises:
        BodyTooLarge: The body passes the cap.
        InvalidRequest: It is not JSON, or a field breaks a rule; the text names field and rule, never the value.
    """
    limits.check_size(len(body))
    limits.check_depth(body)
    fields = _decoded(api, body)
    _check(fields, limits)
    messages = fields.conversation()
    return ParsedRequest(
        api=api,
        model=fields.model,
        messages=messages,
        stream=bool(fields.stream),
        max_tokens=fields.limit(),
        prompt_tokens=sum([len(message.body) for message in messages]) // CHARACTERS_PER_TOKEN + 1,
        body=body,
        tools=fields.tool_names(),
        previous=_previous(fields),
        choices=fields.choices(),
        internal=fields.internal(),
    )


def _decoded(api: Api, body: bytes) -> _Body:
    try:
        return _DECODERS[api].decode(body)
    except msgspec.ValidationError as error:
        raise _broken_rule(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body is not valid JSON") from None


def _broken_rule(text: str) -> InvalidRequest:
    """Turn msgspec's "Expected `str`, got `int` - at `$.model`", which never quotes input, into the API's words."""
    rule, _, place = text.partition(" - at `$.")
    param = place.rstrip("`") or None
    return InvalidRequest(f"{rule.replace('`', '')}{f' at {param}' if param else ''}", param=param)


def _check(fields: _Body, limits: Limits) -> None:
    if isinstance(fields, ResponseBody):
        if fields.background:
            raise InvalidRequest("background must be false: answers come on the connection", param="background")
    elif fields.choices() > limits.max_choices:
        raise InvalidRequest(f"n must be at most {limits.max_choices}, over all prompts", param="n")
    if (fields.limit() or 1) > limits.max_output_tokens:
        name = "max_output_tokens" if isinstance(fields, ResponseBody) else "max_tokens"
        raise InvalidRequest(f"{name} must be at most {limits.max_output_tokens}", param=name)


def _previous(fields: _Body) -> str:
    return (fields.previous_response_id or "") if isinstance(fields, ResponseBody) else ""
