"""Frames that carry no request: what the peer says of itself, of a stream's fate, of how much it takes."""

from collections.abc import Mapping

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.budget import Budget
from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Code, Kind, Setting, Take
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.streams import Streams


class Controls:
    """Takes the control frames of one connection.

    Args:
        streams: Of the connection.
        out: What it has to say.
        resets: For streams that the peer ends before they said anything.
        budget: For what else costs more to answer than to send.

    Attributes:
        settled: Whether the peer has said what it takes, with which everything begins.
        now: Seconds on the clock of the budgets.
    """

    def __init__(self, streams: Streams, out: Outbox, *, resets: Budget, budget: Budget) -> None:
        self.settled = False
        self.now = 0.0
        self._streams = streams
        self._out = out
        self._resets = resets
        self._budget = budget

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

    def spend(self) -> None:
        """Count something that cost the peer less than it costs here.

        Raises:
            ConnectionFault: It was too much of it.
        """
        self._budget.spend(self.now)

    def _priority(self, _flags: int, number: int, payload: bytes) -> None:
        if number == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if len(payload) != 5:
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
            return
        if not stream.spoke:
            self._resets.spend(self.now)
        self._streams.drop(stream, by_peer=True)
        self._out.forget(stream)
        stream.handler.reset()

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR)
            return
        if len(payload) % frames.SETTING.size:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        self.spend()
        self.settled = True
        self._out.add(frames.frame(Kind.SETTINGS, frames.ACK, 0))  # before any data that a wider window lets go
        for name, value in frames.SETTING.iter_unpack(payload):
            self._setting(name, value)

    def _setting(self, name: int, value: int) -> None:
        match name:
            case Setting.ENABLE_PUSH if value > 1:
                raise ConnectionFault(Code.PROTOCOL_ERROR)
            case Setting.INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR)
                self._out.resize(value, self._streams)
            case Setting.MAX_FRAME_SIZE:
                if not frames.DEFAULT_FRAME <= value <= frames.LARGEST_FRAME:
                    raise ConnectionFault(Code.PROTOCOL_ERROR)
                self._out.frame_size = value

    def _push_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR)  # only servers promise

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)
        if len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
        if not flags & frames.ACK:
            self.spend()
            self._out.add(frames.frame(Kind.PING, frames.ACK, 0, payload))

    def _goaway(self, _flags: int, number: int, _payload: bytes) -> None:
        if number != 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR)  # the peer opens no more; what it has opened goes on

    def _window_update(self, _flags: int, number: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR)
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


def check_dependency(number: int, payload: bytes) -> None:
    """Check the five bytes by which a stream once told its priority.

    Raises:
        ConnectionFault: There are less of them, or the stream depends on itself.
    """
    if len(payload) < 5:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR)
    if frames.word(payload) == number:  # only the stream's error, but a peer that says so of itself is broken
        raise ConnectionFault(Code.PROTOCOL_ERROR)
