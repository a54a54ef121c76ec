"""The streams of one connection."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Protocol

from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.header_blocks import Headers

_REMEMBERED = 1_000  # streams that are over, of which frames may still be on their way: those of a round trip


class Handler(Protocol):
    """Who serves a stream."""

    def data(self, data: bytes) -> bool:
        """Take bytes of the request; return whether they are done with, else `Connection.release` has to say so."""

    def end(self) -> None:
        """The request is complete."""

    def reset(self) -> None:
        """The stream is over, whatever it was in the middle of."""


class Stream:
    """One stream.

    Args:
        number: Of the stream.
        window: Bytes that the peer may send.
        room: Bytes that it takes.
        headers: Of the request.

    Attributes:
        number: Of the stream.
        handler: Who serves it.
        window: Bytes that the peer may send.
        taken: Bytes that have come and whose room the peer has not been given back yet.
        room: Bytes that the peer takes.
        waiting: What is to be sent once it takes more: data, and the frames after it; begins with data.
        spoke: Whether any data has come.
        ended_there: Whether the peer has said its last.
        ended_here: Whether the response is complete, sent or waiting.

    Raises:
        StreamFault: The headers declare a length that is none.
    """

    __slots__ = (
        "_expected",
        "ended_here",
        "ended_there",
        "handler",
        "number",
        "room",
        "spoke",
        "taken",
        "waiting",
        "window",
    )

    handler: Handler

    def __init__(self, number: int, *, window: int, room: int, headers: Headers) -> None:
        self.number = number
        self.window = window
        self.room = room
        self.taken = 0
        self.waiting: deque[bytes | memoryview] | None = None
        self.spoke = self.ended_there = self.ended_here = False
        self._expected = _expected(number, headers)

    def take(self, data: bytes) -> None:
        """Hold the data against the length that the request declared, where it did.

        Raises:
            StreamFault: There is more.
        """
        self.spoke = True
        if self._expected is not None:
            self._expected -= len(data)
            if self._expected < 0:
                raise StreamFault(self.number, Code.PROTOCOL_ERROR)

    def complete(self) -> None:
        """The peer has said its last.

        Raises:
            StreamFault: It had declared more.
        """
        if self._expected:
            raise StreamFault(self.number, Code.PROTOCOL_ERROR)
        self.ended_there = True


class Streams:
    """The open streams, and what is known of the others.

    Attributes:
        last: The highest number that the peer has used.
    """

    def __init__(self) -> None:
        self.last = 0
        self._open: dict[int, Stream] = {}
        self._over: OrderedDict[int, bool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._open.values()))

    def get(self, number: int) -> Stream | None:
        """Return a stream that is open."""
        return self._open.get(number)

    def add(self, stream: Stream) -> None:
        """Take a new one."""
        self._open[stream.number] = stream

    def drop(self, stream: Stream, *, by_peer: bool) -> bool:
        """Forget a stream that is over; return whether it was open."""
        if self._open.pop(stream.number, None) is None:
            return False
        self.remember(stream.number, by_peer=by_peer)
        return True

    def settle(self, stream: Stream) -> None:
        """Forget a stream whose response is complete and sent, whether or not the peer has said its last."""
        if stream.ended_here and stream.waiting is None:
            self.drop(stream, by_peer=stream.ended_there)

    def clear(self) -> list[Stream]:
        """Forget all; return those that were open."""
        streams = list(self._open.values())
        self._open.clear()
        return streams

    def data_after(self, number: int) -> None:
        """Let pass data that was on its way to a stream that was ended here, or that is over for long.

        Raises:
            ConnectionFault: No such stream was ever opened.
            StreamFault: The peer had ended it itself.
        """
        if number == 0 or number > self.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if self._over.get(number, False):
            raise StreamFault(number, Code.STREAM_CLOSED)

    def headers_after(self, number: int) -> None:
        """Let pass trailers that were on their way to a stream that was ended here.

        Raises:
            ConnectionFault: The peer had ended it itself, or never opened it: numbers only grow.
        """
        by_peer = self._over.get(number)
        if by_peer is not False:
            raise ConnectionFault(Code.STREAM_CLOSED if by_peer else Code.PROTOCOL_ERROR)

    def remember(self, number: int, *, by_peer: bool) -> None:
        """Remember who ended a stream: what is still on its way to one that was ended here is no fault."""
        self._over[number] = by_peer
        while len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)


def _expected(number: int, headers: Headers) -> int | None:
    declared = headers.get("content-length")
    if declared is None:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise StreamFault(number, Code.PROTOCOL_ERROR)
    return int(declared)
