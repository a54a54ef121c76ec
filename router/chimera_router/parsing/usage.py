"""Find the token counts in an answer as it passes by, whole or streamed, without parsing it."""

import re

from chimera_router.values import value

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_COUNT = {
    name: re.compile(rb'"(?:%s)"\s*:\s*(\d{1,12})' % fields)
    for name, fields in {  # as chats and as responses call them
        "prompt_tokens": b"prompt_tokens|input_tokens",
        "output_tokens": b"completion_tokens|output_tokens",
        "cached_tokens": b"cached_tokens",
    }.items()
}
_REACH = 1024  # bytes; a usage object with its details takes under 400


@value
class Usage:
    """What the engine counted. A count it did not send is None."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class UsageScanner:
    """Reads an answer's chunks in order and keeps only the last kilobyte.

    Inside a JSON string every quote is escaped, so `"usage":{` can only be the field itself. A stream that was not
    asked for usage still says how far it is: an engine sends one event a token.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._events = 0
        self.usage = Usage()

    @property
    def output_tokens(self) -> int:
        """Tokens so far: the engine's count once it has come, else the events of the stream."""
        counted = self.usage.output_tokens
        return self._events if counted is None else counted

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the answer."""
        self._events += chunk.count(b"data: {")
        window = self._tail + chunk
        for match in _USAGE.finditer(window):
            self.usage = _read(window[match.end() : match.end() + _REACH])
        self._tail = window[-_REACH:]


def _read(text: bytes) -> Usage:
    found = {name: pattern.search(text) for name, pattern in _COUNT.items()}
    return Usage(**{name: int(match.group(1)) if match else None for name, match in found.items()})
