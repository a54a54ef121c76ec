"""What the peer may send: windows that open again as what came through them is done with."""

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.streams import Stream
from chimera_router.extproc.http2.terms import Terms


class Inflow:
    """Counts data against the windows of a connection and of its streams.

    A window opens again by half at a time, which costs a frame for many of data.

    Args:
        terms: How wide the windows are.
        out: Where the peer hears of it.
    """

    def __init__(self, terms: Terms, out: Outbox) -> None:
        self._terms = terms
        self._out = out
        self._window = terms.connection_window
        self._taken = 0

    def arrived(self, size: int) -> None:
        """Count bytes against the connection's window, whatever becomes of their stream.

        Raises:
            ConnectionFault: The peer had no room for them.
        """
        self._window -= size
        if self._window < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
        self._taken += size

    def arrived_on(self, stream: Stream, size: int) -> None:
        """Count bytes against a stream's window.

        Raises:
            StreamFault: The peer had no room for them.
        """
        stream.window -= size
        if stream.window < 0:
            raise StreamFault(stream.number, Code.FLOW_CONTROL_ERROR)
        stream.taken += size

    def reopen(self) -> None:
        """Open the connection's window again, unless the peer leaves too much unread: data is done with when read."""
        if self._taken >= self._terms.connection_window // 2 and self._out.held <= self._terms.unread:
            self._out.add(frames.window_update(0, self._taken))
            self._window += self._taken
            self._taken = 0

    def reopen_stream(self, stream: Stream) -> None:
        """Open a stream's window again."""
        if stream.taken >= self._terms.stream_window // 2 and not (stream.ended_there or stream.ended_here):
            self._out.add(frames.window_update(stream.number, stream.taken))
            stream.window += stream.taken
            stream.taken = 0
