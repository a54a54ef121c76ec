"""Frames that carry no request: what the peer says of itself, of a stream's fate, of how much it takes."""

from collections.abc import Callable, Mapping

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.budget import Budget
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind, Setting, Take
from chimera_router.extproc.http2.header_frames import check_dependency
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.reader import Order
from chimera_router.extproc.http2.streams import Streams
from chimera_router.extproc.http2.terms import Terms

MOST_SETTINGS = 32  # in a frame; there are six, and nghttp2 draws the line here too
BYTES_A_PERMIT = 32  # of what is written; more than the answer to any control frame has, so that none pays for itself
STREAMS_A_PERMIT = 100  # that are looked at in the time that another frame takes


class Controls:
    """Takes the control frames of one connection.

    Args:
        terms: How many there may be.
        streams: Of the connection.
        out: What it has to say.
        order: What may come next.
        ponged: Told of the payload of every answer to a ping.

    Attributes:
        now: Seconds on the clock of the budgets.
    """

    def __init__(
        self, terms: Terms, streams: Streams, out: Outbox, order: Order, *, ponged: Callable[[bytes], None]
    ) -> None:
        self.now = 0.0
        self._streams = streams
        self._out = out
        self._order = order
        self._ponged = ponged
        self._resets = Budget(terms.resets, terms.resets / 10)
        self._budget = Budget(terms.controls, terms.controls / 10)

    def takes(self) -> Mapping[int, Take]:
        """Return who takes which kind of frame."""
        return {
            Kind.PRIORITY: self._priority,
            Kind.RST_STREAM: self._rst_stream,
            Kind.SETTINGS: self._settings,
            Kind.PUSH_PROMISE: self._push_promise,
            Kind.PING: self._ping,
            Kind.GOAWAY: self._goaway,
            Kind.WINDOW_UPDATE: self._window_update,
        }

    def spend(self, permits: float = 1.0) -> None:
        """Count something that cost the peer less than it costs here.

        Raises:
            ConnectionFault: It was too much of it.
        """
        self._budget.spend(self.now, permits)

    def earn(self, size: int) -> None:
        """Count bytes that were written: the peer has to read them, and may say so."""
        self._budget.earn(size / BYTES_A_PERMIT)

    def unknown(self, _flags: int, _number: int, _payload: bytes) -> None:
        """Pass over a frame of a kind that nobody knows."""
        self.spend()

    def _priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if len(payload) != frames.PRIORITY_SIZE:
            raise StreamFault(number, Code.FRAME_SIZE_ERROR)
        self.spend()
        check_dependency(number, payload)

    def _rst_stream(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0 or number > self._streams.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        stream = self._streams.get(number)
        if stream is None:
            self.spend()
            return
        if not stream.spoke:
            self._resets.spend(self.now)
        self._streams.drop(stream, by_peer=True)
        self._out.forget(stream)
        stream.handler.reset()

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        self.spend(1 + self._moving())
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            return
        if len(payload) % frames.SETTING.size:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        if len(payload) > MOST_SETTINGS * frames.SETTING.size:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        self._order.only = None
        for name, value in frames.SETTING.iter_unpack(payload):
            self._setting(name, value)
        self._out.add(frames.frame(Kind.SETTINGS, frames.ACK, 0))  # before any data that a wider window lets go
        self._out.flush(self._streams)

    def _setting(self, name: int, value: int) -> None:
        match name:
            case Setting.ENABLE_PUSH if value > 1:
                raise ConnectionFault(Code.PROTOCOL_ERROR)
            case Setting.INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
                self.spend(self._moving())
                self._out.resize(value, self._streams)
            case Setting.MAX_FRAME_SIZE:
                if not frames.DEFAULT_FRAME <= value <= frames.LARGEST_FRAME:
                    raise ConnectionFault(Code.PROTOCOL_ERROR)
                self._out.frame_size = value

    def _moving(self) -> float:
        """Return the permits for looking at every stream."""
        return len(self._streams) / STREAMS_A_PERMIT

    def _push_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR)  # only servers promise

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        self.spend()
        if flags & frames.ACK:
            self._ponged(payload)
        else:
            self._out.add(frames.frame(Kind.PING, frames.ACK, 0, payload))

    def _goaway(self, _flags: int, number: int, _payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        self.spend()  # the peer wants no streams of ours, of which there are none; its own go on

    def _window_update(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        self.spend()
        increment = frames.word(payload)
        if number > self._streams.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if increment == 0:
            raise StreamFault(number, Code.PROTOCOL_ERROR) if number else ConnectionFault(Code.PROTOCOL_ERROR)
        if number == 0:
            self._out.widen(increment)
            return
        stream = self._streams.get(number)
        if stream is not None:
            self._out.widen_stream(stream, increment)
