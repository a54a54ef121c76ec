"""What one connection has to say, within the windows that its peer grants."""

from collections import deque
from collections.abc import Callable, Iterable

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.streams import Stream


class Outbox:
    """Frames to be written, and data that waits for room.

    Args:
        emptied: Told of a stream of which nothing waits any more.

    Attributes:
        frame_size: Bytes of data that the peer takes in one frame.
        initial_window: Bytes that it takes of a new stream.
        held: Bytes of data that wait.
    """

    def __init__(self, emptied: Callable[[Stream], None]) -> None:
        self._emptied = emptied
        self.frame_size = frames.DEFAULT_FRAME
        self.initial_window = frames.DEFAULT_WINDOW
        self.held = 0
        self._room = frames.DEFAULT_WINDOW
        self._ready: list[bytes | memoryview] = []
        self._blocked: dict[int, Stream] = {}  # whose own windows have room, in their turn

    def take(self) -> bytes:
        """Return what can be written now, and forget it."""
        ready, self._ready = self._ready, []
        return b"".join(ready)

    def add(self, data: bytes) -> None:
        """Write a frame that no window holds back."""
        self._ready.append(data)

    def enqueue(self, stream: Stream, frame: bytes) -> None:
        """Write a frame after all data of its stream."""
        if stream.waiting is None:
            self._ready.append(frame)
        else:
            stream.waiting.append(frame)

    def data(self, stream: Stream, data: bytes) -> None:
        """Write data of a stream as soon as there is room for it."""
        size = len(data)
        if stream.waiting is None and size <= stream.room and size <= self._room and size <= self.frame_size:
            stream.room -= size
            self._room -= size
            self._ready.append(frames.HEAD.pack(size << 8, 0, stream.number))
            self._ready.append(data)
            return
        if not data:
            return
        if stream.waiting is None:
            stream.waiting = deque()
        stream.waiting.append(memoryview(data))  # of which pieces are cut without copying the rest
        self.held += size
        self._flush(stream)

    def forget(self, stream: Stream) -> None:
        """Drop what waits of a stream that is over."""
        self.held -= sum(len(piece) for piece in stream.waiting or () if isinstance(piece, memoryview))
        stream.waiting = None
        self._blocked.pop(stream.number, None)

    def widen(self, increment: int) -> None:
        """The peer takes more of all streams together: those that wait for that get a frame each in turn.

        Raises:
            ConnectionFault: More than a window can be.
        """
        self._room += increment
        if self._room > frames.LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
        while self._room > 0 and self._blocked:
            stream = self._blocked.pop(next(iter(self._blocked)))
            if self._turn(stream):
                self._blocked[stream.number] = stream

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
        """The peer takes more, or less, of every stream, open or new; `flush` follows.

        Raises:
            ConnectionFault: More than a window can be.
        """
        change, self.initial_window = window - self.initial_window, window
        for stream in streams:
            stream.room += change
            if stream.room > frames.LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR)

    def flush(self, streams: Iterable[Stream]) -> None:
        """Write what waits of streams, as far as there is room."""
        for stream in streams:
            self._flush(stream)

    def _flush(self, stream: Stream) -> None:
        while self._turn(stream):
            """Go on as long as there is room."""

    def _turn(self, stream: Stream) -> bool:
        """Write one frame of what waits of a stream, and the frames after its data; return whether there is more."""
        waiting = stream.waiting
        if waiting is None or not self._cut(stream, waiting):
            return False
        while waiting and isinstance(waiting[0], bytes):
            self._ready.append(waiting.popleft())
        if not waiting:
            stream.waiting = None
            self._emptied(stream)
        return bool(waiting)

    def _cut(self, stream: Stream, waiting: deque[bytes | memoryview]) -> bool:
        """Write as much of the first data that waits as one frame may carry; return whether there was room for any."""
        data = waiting[0]
        size = min(len(data), stream.room, self._room, self.frame_size)
        if size <= 0:
            if stream.room > 0:
                self._blocked[stream.number] = stream
            return False
        stream.room -= size
        self._room -= size
        self.held -= size
        self._ready.append(frames.HEAD.pack(size << 8, 0, stream.number))
        self._ready.append(data[:size])
        if size < len(data):
            waiting[0] = data[size:]
        else:
            waiting.popleft()
        return True
