"""Bytes to frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind, Take


@dataclass(slots=True)
class Order:
    """What may come next.

    Attributes:
        only: Kind and stream of the one frame that may; None where any may. The first are the peer's settings.
    """

    only: tuple[int, int] | None = (Kind.SETTINGS, 0)


class Reader:
    """Cuts what a peer sends into frames, and hands each to who takes its kind.

    Args:
        takes: Who takes which kind.
        unknown: Takes the kinds that nobody knows.
        failed: Told of what is only one stream's fault.
        order: What may come next, kept by who takes it.
    """

    def __init__(
        self, takes: Mapping[int, Take], *, unknown: Take, failed: Callable[[StreamFault], None], order: Order
    ) -> None:
        self._takes = takes
        self._unknown = unknown
        self._failed = failed
        self._order = order
        self._left = b""
        self._greeted = False

    def read(self, data: bytes) -> None:
        """Take bytes in the order they came, cut anywhere.

        Raises:
            ConnectionFault: They are no HTTP/2, or who takes a frame finds a fault in it.
        """
        if self._left:
            data = self._left + data
        place = 0 if self._greeted else self._greet(data)
        self._left = data[self._take(data, place) :]

    def _greet(self, data: bytes) -> int:
        """Return how many bytes the preface takes, once all of it is there."""
        start = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(start):
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        self._greeted = start == frames.PREFACE
        return len(start) if self._greeted else 0

    def _take(self, data: bytes, place: int) -> int:
        """Handle every whole frame; return where the rest begins."""
        unpack, size, takes, order = frames.HEAD.unpack_from, len(data), self._takes, self._order
        while self._greeted and size - place >= frames.HEADER_SIZE:
            head, flags, number = unpack(data, place)
            length, kind = head >> 8, head & 0xFF
            start = place + frames.HEADER_SIZE
            if length > frames.DEFAULT_FRAME:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            if size - start < length:
                break
            place = start + length
            number &= frames.STREAM_MASK
            if order.only is not None and order.only != (kind, number):
                raise ConnectionFault(Code.PROTOCOL_ERROR)
            try:
                takes.get(kind, self._unknown)(flags, number, data[start:place])
            except StreamFault as fault:
                self._failed(fault)
        return place
