"""An OpenAI request in the picker's own terms, whichever of its APIs it came by."""

from enum import StrEnum
from itertools import takewhile

from chimera_router.values import value

CHARACTERS_PER_TOKEN = 4
"""Of English text and code in the vocabularies of current models; prompts are only compared with one another by it."""

ASSISTANT = "assistant"
USER = "user"
_PREAMBLE_ROLES = frozenset(("system", "developer"))


class Api(StrEnum):
    """The calls that pass through the picker, by path."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    RESPONSES = "/v1/responses"


@value
class ToolCall:
    """A function that a model calls. `id` is the engine's name for this very call; empty where it gave none."""

    id: str
    name: str
    arguments: str


@value
class Message:
    """One message of a conversation.

    Attributes:
        role: `system`, `user`, `assistant`, `tool`; of an item that is no message its kind.
        text: Its words, parts joined by line breaks.
        calls: Functions that it calls.
        answers: The call that it is the result of; empty where it is none.
        attachments: What it shows besides text, as it came: images, sound, files.
    """

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""
    attachments: bytes = b""

    @property
    def body(self) -> str:
        """All that it says: its words and the functions it calls."""
        if not self.calls:
            return self.text
        return self.text + "".join(f"{call.name}({call.arguments})" for call in self.calls)


@value(kw_only=True)
class ParsedRequest:
    """An OpenAI request, as far as the picker reads it.

    Attributes:
        model: As the client wrote it.
        messages: The conversation; a completion's prompt counts as one user message.
        choices: Answers asked for, each a sequence of its own in the engine.
        tools: Names of the functions that the model may call, in the client's order.
        max_tokens: Output tokens the client allows; None allows any number.
        prompt_tokens: Estimate, from the length of the text.
        previous: Id of the response that this one goes on from; empty where it states none.
        body: The bytes as they came.
        internal: Whether it has fields that no client may set.
    """

    api: Api
    model: str
    messages: tuple[Message, ...]
    stream: bool
    max_tokens: int | None
    prompt_tokens: int
    body: bytes
    tools: tuple[str, ...] = ()
    previous: str = ""
    choices: int = 1
    internal: bool = False

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
            if message.role == ASSISTANT:
                break
            if message.role == USER:
                task = message.body
        return task
