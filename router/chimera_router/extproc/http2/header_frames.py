"""HEADERS and CONTINUATION frames to whole header blocks."""

from collections.abc import Callable, Mapping

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault
from chimera_router.extproc.http2.frames import Kind, Take
from chimera_router.extproc.http2.header_blocks import LARGEST
from chimera_router.extproc.http2.reader import Order

Whole = Callable[[int, int, bytes], None]
"""Takes the stream, the flags of the first frame and the block."""


class HeaderFrames:
    """Puts header blocks together. Nothing comes between the frames of one, so there is never more than one.

    Args:
        order: What may come next.
        whole: Takes each block.
        spend: Counts a frame that need not have been: gRPC's headers fit in one.
    """

    def __init__(self, order: Order, whole: Whole, spend: Callable[[], None]) -> None:
        self._order = order
        self._whole = whole
        self._spend = spend
        self._block = bytearray()
        self._flags = 0

    def takes(self) -> Mapping[int, Take]:
        """Return who takes which kind of frame."""
        return {Kind.HEADERS: self._headers, Kind.CONTINUATION: self._continuation}

    def _headers(self, flags: int, number: int, payload: bytes) -> None:
        if number % 2 == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        block = frames.unpadded(payload) if flags & frames.PADDED else payload
        if flags & frames.PRIORITISED:
            check_dependency(number, block)
            block = block[frames.PRIORITY_SIZE :]
        if flags & frames.END_HEADERS:
            self._whole(number, flags, block)
            return
        self._order.only = (Kind.CONTINUATION, number)
        self._flags = flags
        self._block = bytearray(block)

    def _continuation(self, flags: int, number: int, payload: bytes) -> None:
        if self._order.only is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        self._spend()
        self._block += payload
        if len(self._block) > LARGEST:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        if flags & frames.END_HEADERS:
            self._order.only = None
            self._whole(number, self._flags, bytes(self._block))


def check_dependency(number: int, payload: bytes) -> None:
    """Check the five bytes by which a stream once told its priority.

    Raises:
        ConnectionFault: There are less of them, or the stream depends on itself.
    """
    if len(payload) < frames.PRIORITY_SIZE:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR)
    if frames.word(payload) == number:  # only the stream's error, but a peer that says so of itself is broken
        raise ConnectionFault(Code.PROTOCOL_ERROR)
