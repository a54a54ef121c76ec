"""Bodies of chats and completions."""

from typing import Annotated

import msgspec

from chimera_router.parsing.messages import USER, Message, ToolCall
from chimera_router.parsing.parts import Content, Fields, Tokens, attached_to, read_lenient, text_of


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _CalledFunction
    id: str = ""


class _Function(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct):
    function: _Function


_CALLS = msgspec.json.Decoder(list[_Call] | None)
_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_ENCODER = msgspec.json.Encoder()


class ChatMessage(msgspec.Struct):
    """One message as a chat writes it."""

    role: str
    content: Content = None
    tool_calls: msgspec.Raw = msgspec.Raw()
    tool_call_id: str | None = None

    def plain(self) -> Message:
        """Return the message in the picker's terms. Calls that are not functions are kept as they came."""
        calls = read_lenient(_CALLS, self.tool_calls)
        known = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in calls)
        unknown = b"" if known else bytes(self.tool_calls)
        attachments = attached_to(self.content) + unknown
        return Message(self.role, text_of(self.content), known, self.tool_call_id or "", attachments)


class ChatBody(Fields, kw_only=True):
    """The body of a chat."""

    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    max_tokens: Tokens = None
    max_completion_tokens: Tokens = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    tools: msgspec.Raw = msgspec.Raw()

    def conversation(self) -> tuple[Message, ...]:
        """Return the messages."""
        return tuple(message.plain() for message in self.messages)

    def choices(self) -> int:
        """Return the answers asked for."""
        return self.n or 1

    def limit(self) -> int | None:
        """Return the output tokens allowed; the newer field goes before the older one."""
        return self.max_completion_tokens or self.max_tokens

    def tool_names(self) -> tuple[str, ...]:
        """Return the names of the functions offered."""
        return tuple(tool.function.name for tool in read_lenient(_TOOLS, self.tools))


class CompletionBody(Fields, kw_only=True):
    """The body of a completion."""

    prompt: str | list[str | int | list[int]]
    max_tokens: Tokens = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def conversation(self) -> tuple[Message, ...]:
        """Return the prompt as one user message, whatever its form."""
        prompt = self.prompt
        return (Message(USER, prompt if isinstance(prompt, str) else _ENCODER.encode(prompt).decode()),)

    def choices(self) -> int:
        """Return the answers asked for; every text or list of tokens of a list is a prompt of its own."""
        prompts = self.prompt if isinstance(self.prompt, list) else []
        return (self.n or 1) * max(1, sum(not isinstance(prompt, int) for prompt in prompts))

    def limit(self) -> int | None:
        """Return the output tokens allowed."""
        return self.max_tokens

    def tool_names(self) -> tuple[str, ...]:
        """Return nothing: a completion offers no functions."""
        return ()
