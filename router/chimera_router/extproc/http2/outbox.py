"""What one connection has to say, within the windows that its peer grants."""

from collections import deque
from collections.abc import Callable, Iterable

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Code, Kind
from chimera_router.extproc.http2.streams import Stream


class Outbox:
    """Frames to be written, and data that waits for room.

    Args:
        emptied: Told of a stream of which nothing waits any more.

    Attributes:
        frame_size: Bytes of data that the peer takes in one frame.
        initial_window: Bytes that it takes of a new stream.
    """

    def __init__(self, emptied: Callable[[Stream], None]) -> None:
        self._emptied = emptied
        self.frame_size = frames.DEFAULT_FRAME
        self.initial_window = frames.DEFAULT_WINDOW
        self._room = frames.DEFAULT_WINDOW
        self._ready: list[bytes] = []
        self._waiting: dict[int, Stream] = {}

    def take(self) -> bytes:
        """Return what can be written now, and forget it."""
        ready, self._ready = self._ready, []
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def __bool__(self) -> bool:
        return bool(self._ready)

    def add(self, data: bytes) -> None:
        """Write a frame that no window holds back."""
        self._ready.append(data)

    def enqueue(self, stream: Stream, frame: bytes) -> None:
        """Write a frame after all data of its stream."""
        if stream.waiting is None:
            self._ready.append(frame)
        else:
            stream.waiting.append((frame, False))

    def data(self, stream: Stream, data: bytes) -> None:
        """Write data of a stream as soon as there is room for it."""
        size = len(data)
        if stream.waiting is None and size <= stream.room and size <= self._room and size <= self.frame_size:
            stream.room -= size
            self._room -= size
            self._ready.append(frames.HEAD.pack(size << 8, 0, stream.number))
            self._ready.append(data)
            return
        if stream.waiting is None:
            stream.waiting = deque()
            self._waiting[stream.number] = stream
        stream.waiting.append((data, True))
        self._flush(stream)

    def forget(self, stream: Stream) -> None:
        """Drop what waits of a stream that is over."""
        stream.waiting = None
        self._waiting.pop(stream.number, None)

    def widen(self, increment: int) -> None:
        """The peer takes more of all streams together.

        Raises:
            ConnectionFault: More than a window can be.
        """
        self._room += increment
        if self._room > frames.LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
        for stream in list(self._waiting.values()):
            if self._room <= 0:
                return
            self._flush(stream)

    def widen_stream(self, stream: Stream, increment: int) -> None:
        """The peer takes more of one stream.

        Raises:
            StreamFault: More than a window can be.
        """
        stream.room += increment
        if stream.room > frames.LARGEST_WINDOW:
            raise StreamFault(stream.number, Code.FLOW_CONTROL_ERROR)
        self._flush(stream)

    def resize(self, window: int, streams: Iterable[Stream]) -> None:
        """The peer takes more, or less, of every stream, open or new.

        Raises:
            ConnectionFault: More than a window can be.
        """
        change, self.initial_window = window - self.initial_window, window
        for stream in streams:
            stream.room += change
            if stream.room > frames.LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
            self._flush(stream)

    def _flush(self, stream: Stream) -> None:
        waiting = stream.waiting
        if waiting is None:
            return
        while waiting:
            data, counted = waiting[0]
            size = min(len(data), stream.room, self._room, self.frame_size) if counted else len(data)
            if counted and data and size <= 0:
                return
            waiting.popleft()
            self._write(stream, data[:size] if counted else data, counted=counted)
            if size < len(data):
                waiting.appendleft((data[size:], True))
        self.forget(stream)
        self._emptied(stream)

    def _write(self, stream: Stream, data: bytes, *, counted: bool) -> None:
        if counted:
            stream.room -= len(data)
            self._room -= len(data)
            data = frames.frame(Kind.DATA, 0, stream.number, data)
        self._ready.append(data)
