"""Any frames, in any order and cut anywhere, end in good order, within the peer's windows, and leave nothing."""

from drawing import Draw
from peers import BLOCK, Peer, Served, data, headers, ping

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.terms import Terms

_TERMS = Terms(streams=8, stream_window=40_000, connection_window=100_000, unread=50_000, resets=20, controls=200)
_SIZES = (0, 1, 5, 9, 100, 16_384, 16_385, 39_000)
_WINDOWS = (0, 1, 100, 65_535, 1 << 20, frames.LARGEST_WINDOW, 1 << 31)


class _Fuzzed:
    """A peer that sends what is drawn, and counts what it may get."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.peer = Peer(_TERMS, greet=draw.byte() % 8 != 0)
        self.room = frames.DEFAULT_WINDOW
        self.told = False
        self.next = 1

    def number(self) -> int:
        return self.draw.choice((0, 1, 3, 5, 7, 2, self.next, self.next - 2 if self.next > 1 else 1))

    def send(self, sent: bytes) -> None:
        cut = self.draw.below(len(sent) + 1) if self.draw.byte() % 2 else len(sent)
        for piece in (sent[:cut], sent[cut:]):
            self.take(self.peer.send(piece))

    def take(self, answers: list) -> None:  # type: ignore[type-arg]
        self.room -= sum(len(frame.payload) for frame in answers if frame.kind == Kind.DATA)
        assert self.room >= 0
        self.told |= any(frame.kind == Kind.GOAWAY for frame in answers)
        assert self.told or not self.peer.connection.closed

    def served(self) -> Served | None:
        served = [each for each in self.peer.served.values() if not each.over and not each.stream.ended_here]
        return self.draw.choice(served) if served else None


def run(data_: bytes) -> None:
    fuzzed = _Fuzzed(Draw(data_))
    while fuzzed.draw:
        _STEPS[fuzzed.draw.byte() % len(_STEPS)](fuzzed)
    peer = fuzzed.peer
    peer.connection.lost()
    assert (len(peer.connection), peer.connection.held) == (0, 0)
    assert all(each.over or each.stream.ended_here for each in peer.served.values())


def _anything(fuzzed: _Fuzzed) -> None:
    draw = fuzzed.draw
    fuzzed.send(frames.frame(draw.byte() % 12, draw.byte(), fuzzed.number(), draw.take(60)))


def _raw(fuzzed: _Fuzzed) -> None:
    fuzzed.send(fuzzed.draw.take(30))


def _open(fuzzed: _Fuzzed) -> None:
    fuzzed.send(headers(fuzzed.next, BLOCK, end=fuzzed.draw.byte() % 4 == 0))
    fuzzed.next += 2


def _open_in_pieces(fuzzed: _Fuzzed) -> None:
    cut = fuzzed.draw.below(len(BLOCK))
    first = frames.frame(Kind.HEADERS, 0, fuzzed.next, BLOCK[:cut])
    fuzzed.send(first + frames.frame(Kind.CONTINUATION, fuzzed.draw.choice((4, 4, 0)), fuzzed.next, BLOCK[cut:]))
    fuzzed.next += 2


def _trailers(fuzzed: _Fuzzed) -> None:
    fuzzed.send(headers(fuzzed.number(), fuzzed.draw.choice((b"", b"\x00\x01x\x01y", BLOCK)), end=True))


def _data(fuzzed: _Fuzzed) -> None:
    fuzzed.send(data(fuzzed.number(), bytes(fuzzed.draw.choice(_SIZES)), end=fuzzed.draw.byte() % 4 == 0))


def _padded(fuzzed: _Fuzzed) -> None:
    fuzzed.send(frames.frame(Kind.DATA, frames.PADDED, fuzzed.number(), fuzzed.draw.take(20)))


def _reset(fuzzed: _Fuzzed) -> None:
    fuzzed.send(frames.rst_stream(fuzzed.number(), Code.CANCEL))


def _settings(fuzzed: _Fuzzed) -> None:
    names = (frames.Setting.INITIAL_WINDOW_SIZE, frames.Setting.MAX_FRAME_SIZE, frames.Setting.ENABLE_PUSH)
    values = [(fuzzed.draw.choice(names), fuzzed.draw.choice(_WINDOWS)) for _ in range(fuzzed.draw.byte() % 3)]
    fuzzed.send(frames.settings(values))


def _window(fuzzed: _Fuzzed) -> None:
    number, size = fuzzed.number(), fuzzed.draw.choice(_WINDOWS)
    fuzzed.room += size if number == 0 else 0
    fuzzed.send(frames.window_update(number, size))


def _ping(fuzzed: _Fuzzed) -> None:
    fuzzed.send(ping(fuzzed.draw.choice((b"12345678", b"lastcall")), fuzzed.draw.choice((0, frames.ACK))))


def _respond(fuzzed: _Fuzzed) -> None:
    served = fuzzed.served()
    if served is not None and not fuzzed.peer.connection.closed:
        served.respond(*(bytes(fuzzed.draw.choice(_SIZES)) for _ in range(fuzzed.draw.byte() % 3)))
        fuzzed.take(fuzzed.peer.read())


def _hold(fuzzed: _Fuzzed) -> None:
    served = fuzzed.served()
    if served is not None:
        served.done = not served.done
        fuzzed.peer.connection.release(served.stream)
        fuzzed.take(fuzzed.peer.read())


def _wait(fuzzed: _Fuzzed) -> None:
    fuzzed.peer.now += fuzzed.draw.byte()


def _drain(fuzzed: _Fuzzed) -> None:
    fuzzed.peer.connection.drain()
    fuzzed.take(fuzzed.peer.read())


_STEPS = (
    _open,
    _data,
    _respond,
    _window,
    _reset,
    _settings,
    _anything,
    _raw,
    _open_in_pieces,
    _trailers,
    _padded,
    _ping,
    _hold,
    _wait,
    _drain,
    _open,
)
