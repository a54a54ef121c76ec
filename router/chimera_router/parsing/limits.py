"""What a client may send, and the cheap checks that come before any parsing."""

from dataclasses import dataclass

import numpy as np

from chimera_router.errors import BodyTooLarge, HeadersTooLarge, InvalidRequest

_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_BETWEEN = np.int8(ord("\\"))  # the character between [ and ]: one above the first, one below the second
_QUOTE = np.int8(ord('"'))
_BLOCK = 1 << 16  # marks looked at together; what they are counted in stays in the processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on a request.

    Attributes:
        max_body_bytes: Bytes of the body over all chunks; 16 MiB holds a million tokens of text.
        max_header_bytes: Names and values of all headers; gateways cap them at 60 KiB (Envoy's default) or below.
        max_json_depth: Nesting of arrays and objects; tool schemas stay under 20, engines recurse.
        max_choices: Answers asked for, `n` for each prompt; each is a sequence in the engine's batch.
        max_output_tokens: Tokens of `max_tokens`; no engine's context is larger.
        max_reading: Bodies that are read at once; 5,000 clients may begin in the same instant, twice that is an attack.
        max_reading_bytes: Bytes kept of them, all together: 64 bodies at the default cap.
        first_byte_seconds: From the headers to the first byte of the body; clients send it right after them.
        body_seconds: From the headers to the last byte; 16 MiB at 1 Mbit/s take 134 s.
    """

    max_body_bytes: int = 16 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_json_depth: int = 64
    max_choices: int = 16
    max_output_tokens: int = 1_000_000
    max_reading: int = 10_000
    max_reading_bytes: int = 1 << 30
    first_byte_seconds: float = 30.0
    body_seconds: float = 180.0

    def check_size(self, size: int) -> None:
        """Raise BodyTooLarge when the body has passed the cap."""
        if size > self.max_body_bytes:
            raise BodyTooLarge(limit=self.max_body_bytes)

    def check_headers(self, size: int) -> None:
        """Raise HeadersTooLarge when the headers have passed the cap."""
        if size > self.max_header_bytes:
            raise HeadersTooLarge(limit=self.max_header_bytes)

    def check_depth(self, body: bytes) -> None:
        """Raise InvalidRequest when the body nests deeper than the cap, without building anything."""
        if body.count(b"[") + body.count(b"{") > self.max_json_depth and _deeper(body, self.max_json_depth):
            raise InvalidRequest(f"The body nests deeper than {self.max_json_depth} levels")


def _deeper(body: bytes, depth: int) -> bool:
    """Return whether what stands between the strings nests deeper; a few passes at memory speed, however deep it is."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(_BRACKETS, _NO_MARKS)
    level = quotes = 0
    for start in range(0, len(marks), _BLOCK):
        block = np.frombuffer(marks[start : start + _BLOCK], dtype=np.int8)
        quote = block == _QUOTE
        before = quotes + np.cumsum(quote, dtype=np.int32)
        levels = level + np.cumsum(np.where(quote | (before & 1 == 1), 0, _BETWEEN - block), dtype=np.int32)
        if levels.max() > depth:
            return True
        level, quotes = int(levels[-1]), int(before[-1])
    return False
