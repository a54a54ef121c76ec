"""What is said fits the peer's windows, in order, and nothing that waits costs more than it is worth."""

from collections.abc import Iterable

import pytest
from peers import FIELDS, Frame, parsed

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.streams import Stream

TRAILERS = frames.frame(Kind.HEADERS, frames.END_STREAM | frames.END_HEADERS, 1)


@pytest.fixture
def emptied() -> list[Stream]:
    return []


@pytest.fixture
def out(emptied: list[Stream]) -> Outbox:
    return Outbox(emptied.append)


def stream(number: int = 1, room: int = 65_535) -> Stream:
    return Stream(number, window=0, room=room, headers=dict(FIELDS))


def sizes(written: Iterable[Frame]) -> list[tuple[int, int]]:
    return [(frame.stream, len(frame.payload)) for frame in written if frame.kind == Kind.DATA]


def test_data_with_room_is_written_at_once(out: Outbox, emptied: list[Stream]) -> None:
    """It takes one frame and lowers both windows; nobody waits, so nobody is emptied."""
    one = stream()
    out.data(one, b"hello")

    assert list(parsed(out.take())) == [Frame(Kind.DATA, 0, 1, b"hello")]
    assert one.room == 65_530
    assert (out.held, emptied, out.take()) == (0, [], b"")


def test_large_data_is_cut_at_the_frame_size(out: Outbox) -> None:
    """No frame is larger than the peer takes; the pieces are the data."""
    out.frame_size = 20_000
    whole = bytes(range(256)) * 200
    out.data(stream(), whole)

    written = list(parsed(out.take()))
    assert sizes(written) == [(1, 20_000), (1, 20_000), (1, 11_200)]
    assert b"".join(frame.payload for frame in written) == whole


def test_data_waits_for_its_streams_window(out: Outbox, emptied: list[Stream]) -> None:
    """What fits goes, the rest waits for more; what comes after it waits behind it."""
    one = stream(room=3)
    out.data(one, b"hello")
    out.data(one, b"!")
    out.enqueue(one, TRAILERS)
    assert sizes(parsed(out.take())) == [(1, 3)]
    assert (out.held, emptied) == (3, [])

    out.widen_stream(one, 3)

    assert [frame.payload for frame in parsed(out.take())] == [b"lo", b"!", b""]
    assert (out.held, emptied) == (0, [one])


def test_streams_that_wait_for_the_connection_take_turns(out: Outbox) -> None:
    """When the connection's window opens each gets a frame in turn, whoever came first and however much it has."""
    out.data(stream(9), bytes(65_535))
    for number in (1, 3):
        out.data(stream(number, room=1 << 20), bytes(40_000))
    out.take()

    out.widen(60_000)

    assert sizes(parsed(out.take())) == [(1, 16_384), (3, 16_384), (1, 16_384), (3, 10_848)]
    out.widen(1_000_000)
    assert sizes(parsed(out.take())) == [(1, 7_232), (3, 12_768)]


def test_stream_without_a_window_of_its_own_has_no_turn(out: Outbox) -> None:
    """A connection's window opened a byte at a time does not look at streams whose own windows are shut."""
    shut = [stream(number, room=0) for number in range(1, 20_001, 2)]
    for each in shut:
        out.data(each, b"x")

    out.widen(1)

    assert out.take() == b""
    assert out._blocked == {}


def test_frames_without_data_need_no_room(out: Outbox) -> None:
    """Headers and resets go whatever the windows are, unless their stream's data waits."""
    one, other = stream(1, room=0), stream(3, room=0)
    out.enqueue(one, TRAILERS)
    out.data(other, b"x")
    out.enqueue(other, TRAILERS)

    assert out.take() == TRAILERS


def test_trailers_follow_the_last_byte_that_fits(out: Outbox, emptied: list[Stream]) -> None:
    """A window that is just wide enough for the data lets the trailers go too."""
    out.data(stream(9), bytes(65_535))
    one = stream(1)
    out.data(one, bytes(10))
    out.enqueue(one, TRAILERS)
    out.take()

    out.widen(10)

    assert [frame.kind for frame in parsed(out.take())] == [Kind.DATA, Kind.HEADERS]
    assert emptied[-1] is one


def test_smaller_initial_window_may_take_room_back(out: Outbox) -> None:
    """Room may fall below zero; nothing is written until it is above again."""
    one = stream(room=65_535)
    out.data(one, bytes(100))
    out.take()
    out.resize(50, [one])
    out.data(one, b"x")
    assert one.room == -50
    assert out.take() == b""

    out.resize(101, [one])
    assert out.take() == b""
    out.flush([one])

    assert sizes(parsed(out.take())) == [(1, 1)]
    assert out.initial_window == 101


def test_forgotten_stream_leaves_nothing(out: Outbox) -> None:
    """What waited of it is dropped and counted off."""
    out.data(stream(9), bytes(65_535))
    one = stream(1)
    out.data(one, bytes(10))
    out.enqueue(one, TRAILERS)
    out.take()

    out.forget(one)
    out.widen(1_000)

    assert (out.held, out.take()) == (0, b"")


def test_windows_have_a_largest_size(out: Outbox) -> None:
    """Past 2^31-1 the one who widened it is at fault: the stream, or the connection."""
    one = stream()
    with pytest.raises(StreamFault) as fault:
        out.widen_stream(one, frames.LARGEST_WINDOW)
    assert (fault.value.stream, fault.value.code) == (1, Code.FLOW_CONTROL_ERROR)
    with pytest.raises(ConnectionFault):
        out.widen(frames.LARGEST_WINDOW)
    with pytest.raises(ConnectionFault):
        out.resize(frames.LARGEST_WINDOW, [stream(room=65_536)])


def test_empty_data_behind_others_is_nothing(out: Outbox) -> None:
    """It neither waits nor stops what comes after it."""
    one = stream(room=1)
    out.data(one, b"xy")
    out.data(one, b"")
    out.data(one, b"z")
    out.take()

    out.widen_stream(one, 10)

    assert sizes(parsed(out.take())) == [(1, 1), (1, 1)]
