"""Bodies of the Responses API: input items in place of messages, and a chain of responses kept by the engine."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from chimera_router.parsing.messages import ASSISTANT, USER, Message, ToolCall
from chimera_router.parsing.parts import Content, Fields, Tokens, attached_to, read_lenient, text_of

_CALLS = frozenset(("function_call", "custom_tool_call"))
_RESULTS = frozenset(("function_call_output", "custom_tool_call_output"))
_REASONING = "reasoning"  # clients may leave it out when they send a conversation again


class _Tool(msgspec.Struct):
    name: str


_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_OUTPUT = msgspec.json.Decoder(Content)


class Item(msgspec.Struct):
    """One item of an input or an output: a message, a call or what came of it. Other kinds keep only their name."""

    type: str | None = None
    role: str | None = None
    content: Content = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: msgspec.Raw = msgspec.Raw()

    @property
    def kind(self) -> str:
        """The item's type; an item with none is a message."""
        return self.type or "message"

    def plain(self) -> Message:
        """Return the item in the picker's terms."""
        if self.kind in _CALLS:
            return Message(
                ASSISTANT, "", (ToolCall(self.call_id or "", self.name or "", self.arguments or self.input or ""),)
            )
        if self.kind in _RESULTS:
            return self._result()
        role = self.role or (USER if self.kind == "message" else self.kind)
        return Message(role, text_of(self.content), attachments=attached_to(self.content) or (self.id or "").encode())

    def _result(self) -> Message:
        try:
            content = _OUTPUT.decode(self.output)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Message("tool", "", answers=self.call_id or "", attachments=bytes(self.output))
        return Message("tool", text_of(content), answers=self.call_id or "", attachments=attached_to(content))


class ResponseBody(Fields, kw_only=True):
    """The body of a response that is asked for."""

    input: str | Annotated[list[Item], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: Tokens = None
    background: bool | None = None
    tools: msgspec.Raw = msgspec.Raw()

    def conversation(self) -> tuple[Message, ...]:
        """Return instructions and input as messages; what one answer said and called is one message."""
        system = (Message("system", self.instructions),) if self.instructions else ()
        if isinstance(self.input, str):
            return (*system, Message(USER, self.input))
        return (*system, *merged(self.input))

    def choices(self) -> int:
        """Return the answers asked for: there is but one."""
        return 1

    def limit(self) -> int | None:
        """Return the output tokens allowed."""
        return self.max_output_tokens

    def tool_names(self) -> tuple[str, ...]:
        """Return the names of the functions offered."""
        return tuple(tool.name for tool in read_lenient(_TOOLS, self.tools))


def merged(items: Iterable[Item]) -> Iterator[Message]:
    """Yield the items as messages, with neighbours that the assistant made put into one and reasoning left out."""
    held: Message | None = None
    for item in items:
        if item.kind == _REASONING:
            continue
        message = item.plain()
        if held and held.role == message.role == ASSISTANT:
            held = _joined(held, message)
            continue
        if held:
            yield held
        held = message
    if held:
        yield held


def _joined(first: Message, second: Message) -> Message:
    text = "\n".join(filter(None, (first.text, second.text)))
    return Message(ASSISTANT, text, first.calls + second.calls, "", first.attachments + second.attachments)
