"""A streamed chat completion, read whole: its text, its token count, and whether it came to its end."""

from dataclasses import dataclass

import msgspec

PREFIX = b"data: "
DONE = b"[DONE]"


class CutShort(Exception):  # noqa: N818 - what happened to the stream
    """A stream ended before its last event."""

    def __init__(self) -> None:
        super().__init__("The stream ended before its last event")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said."""

    text: str
    output_tokens: int


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Usage(msgspec.Struct):
    completion_tokens: int


class _Chunk(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def read_reply(stream: bytes) -> Reply:
    """Return the reply of a stream that was asked to include its usage.

    Raises:
        CutShort: The final mark or the usage is missing, or an event is not a chunk.
    """
    events = [line.removeprefix(PREFIX) for line in stream.split(b"\n") if line.startswith(PREFIX)]
    if not events or events.pop() != DONE:
        raise CutShort
    try:
        chunks = [_CHUNK.decode(event) for event in events]
    except msgspec.DecodeError:
        raise CutShort from None
    usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage is not None), None)
    if usage is None:
        raise CutShort
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    return Reply(text, usage.completion_tokens)
