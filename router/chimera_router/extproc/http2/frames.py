"""Frames as RFC 9113 lays them out: kinds, flags, settings."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from struct import Struct

from chimera_router.extproc.http2.errors import Code, ConnectionFault

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_SIZE = 9
PRIORITY_SIZE = 5

# Length and kind in one number, flags, stream.
HEAD = Struct("!IBI")
SETTING = Struct("!HI")
_WORD = Struct("!I")

STREAM_MASK = 0x7FFF_FFFF  # the highest bit is reserved
LARGEST_WINDOW = 0x7FFF_FFFF
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME = 16_384
LARGEST_FRAME = 0xFF_FFFF


class Kind(IntEnum):
    """What a frame is."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20


class Setting(IntEnum):
    """What one side tells the other about itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: Iterable[tuple[Setting, int]]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(SETTING.pack(name, value) for name, value in values))


def window_update(stream: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(Kind.WINDOW_UPDATE, 0, stream, _WORD.pack(increment))


def rst_stream(stream: int, code: Code) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(Kind.RST_STREAM, 0, stream, _WORD.pack(code))


def goaway(last_stream: int, code: Code) -> bytes:
    """Return a GOAWAY frame; it carries no debug data, which would end in the peer's log."""
    return frame(Kind.GOAWAY, 0, 0, _WORD.pack(last_stream) + _WORD.pack(code))


def word(payload: bytes) -> int:
    """Return the number in a payload of four bytes, without its reserved bit."""
    number: int = _WORD.unpack_from(payload)[0]
    return number & STREAM_MASK


def unpadded(payload: bytes) -> bytes:
    """Return the payload of a padded frame without its padding.

    Raises:
        ConnectionFault: There is more padding than payload.
    """
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR)
    return payload[1 : len(payload) - payload[0]]


Take = Callable[[int, int, bytes], None]
"""Takes the flags, the stream and the payload of a frame."""
