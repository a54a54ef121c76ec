"""What a model said, read from its answer as it passes by, whole or streamed."""

from dataclasses import dataclass, field

import msgspec

from chimera_router.parsing.messages import ToolCall
from chimera_router.parsing.responses import Item, merged
from chimera_router.values import value

MAX_HELD = 1 << 20
"""Characters of text, and bytes of JSON not yet read, held of an answer: 250,000 tokens. A longer one is not read."""

_DONE = b"[DONE]"
_FINAL = frozenset(("response.completed", "response.incomplete"))


@value
class Reply:
    """One of the choices of an answer, as a client may send it again as a message of the assistant."""

    text: str
    calls: tuple[ToolCall, ...] = ()


@value
class Answer:
    """What an answer holds. `id` is set where the engine keeps it for a later request to go on from."""

    replies: tuple[Reply, ...] = ()
    id: str = ""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None


class _Response(msgspec.Struct):
    id: str = ""
    output: list[Item] = []


class _Body(_Response):
    object: str = ""
    type: str = ""
    choices: list[_Choice] = []
    response: _Response | None = None


_BODY = msgspec.json.Decoder(_Body)
_ANY = msgspec.json.Decoder(msgspec.Raw)


@dataclass(slots=True)
class _Spoken:
    """One choice as its pieces come."""

    text: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    def take(self, message: _Message) -> None:
        self.text.append(message.content or "")
        for call in message.tool_calls or ():
            self._call(call)

    def _call(self, piece: _Call) -> None:
        """Begin a call where the piece has an id; else it continues the last one."""
        function = piece.function
        name, arguments = function.name or "", function.arguments or ""
        if piece.id or not self.calls:
            self.calls.append(ToolCall(piece.id or "", name, arguments))
            return
        last = self.calls[-1]
        self.calls[-1] = ToolCall(last.id, last.name + name, last.arguments + arguments)

    def reply(self) -> Reply:
        return Reply("".join(self.text), tuple(self.calls))


class ReplyReader:
    """Reads an answer's chunks in order. What it cannot read counts as nothing said.

    Attributes:
        complete: Whether all was said; an answer may end without that being seen.
    """

    def __init__(self) -> None:
        self.complete = False
        self._pending = b""
        self._held = 0
        self._choices: dict[int, _Spoken] = {}
        self._response = _Response()
        self._lost = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the answer."""
        if self._lost:
            return
        self._pending += chunk
        if self._pending.startswith(b"{"):
            self.complete = self._pending.endswith(b"}") and _is_json(self._pending)
        else:
            *lines, self._pending = self._pending.split(b"\n")
            for line in lines:
                self._line(line)
        if len(self._pending) + self._held > MAX_HELD:
            self._lose()

    def answer(self) -> Answer:
        """Return what was said, once the answer is complete."""
        if self._pending.startswith(b"{"):
            self._take(self._pending)
        if self._lost:
            return Answer()
        spoken = (said.reply() for said in self._choices.values())
        items = (Reply(message.text, message.calls) for message in merged(self._response.output))
        return Answer(tuple(reply for reply in (*spoken, *items) if reply.text or reply.calls), self._response.id)

    def _line(self, line: bytes) -> None:
        data = line.removeprefix(b"data:").strip()
        self.complete |= data == _DONE
        if data.startswith(b"{") and not self._lost:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            body = _BODY.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._lose()
            return
        for choice in body.choices:
            self._choose(choice)
        if body.object == "response":
            self._response = body
        elif body.response and body.type in _FINAL:
            self._response = body.response
            self.complete = True

    def _choose(self, choice: _Choice) -> None:
        said = self._choices.get(choice.index)
        if said is None:
            said = self._choices[choice.index] = _Spoken()
        message = choice.delta or choice.message or _Message(content=choice.text)
        said.take(message)
        self._held += len(message.content or "") + sum(
            len(call.function.arguments or "") for call in message.tool_calls or ()
        )

    def _lose(self) -> None:
        self._lost, self._pending = True, b""
        self._choices.clear()


def _is_json(data: bytes) -> bool:
    """Return whether this is a whole JSON value; a body that merely pauses after a brace is not."""
    try:
        _ANY.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
