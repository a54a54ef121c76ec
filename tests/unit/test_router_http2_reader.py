"""Bytes are cut into frames wherever reads cut them."""

import pytest

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.reader import Order, Reader

Taken = tuple[int, int, bytes]


@pytest.fixture
def taken() -> list[Taken]:
    return []


@pytest.fixture
def failed() -> list[StreamFault]:
    return []


@pytest.fixture
def order() -> Order:
    return Order(only=None)


@pytest.fixture
def reader(taken: list[Taken], failed: list[StreamFault], order: Order) -> Reader:
    def fail(_flags: int, number: int, _payload: bytes) -> None:
        raise StreamFault(number, Code.CANCEL)

    takes = {Kind.DATA: lambda *frame: taken.append(frame), Kind.PRIORITY: fail}
    return Reader(takes, unknown=lambda *_: None, failed=failed.append, order=order)


def test_frames_come_whole_however_they_were_cut(reader: Reader, taken: list[Taken]) -> None:
    """A frame is taken once its last byte is there, and the reserved bit of its stream means nothing."""
    sent = frames.PREFACE + frames.frame(Kind.DATA, 1, 3, b"one") + frames.frame(Kind.DATA, 0, 1 << 31 | 5)
    for byte in sent:
        reader.read(bytes((byte,)))

    assert taken == [(1, 3, b"one"), (0, 5, b"")]


def test_frames_after_a_faulty_one_are_taken(reader: Reader, taken: list[Taken], failed: list[StreamFault]) -> None:
    """What is wrong with one stream is told, and the next frame is read."""
    reader.read(frames.PREFACE + frames.frame(Kind.PRIORITY, 0, 7) + frames.frame(Kind.DATA, 0, 1, b"x"))

    assert [fault.stream for fault in failed] == [7]
    assert taken == [(0, 1, b"x")]


def test_only_the_frame_that_may_come_is_taken(reader: Reader, order: Order, taken: list[Taken]) -> None:
    """Where one frame is due, every other ends the connection."""
    reader.read(frames.PREFACE)
    order.only = (Kind.DATA, 1)
    reader.read(frames.frame(Kind.DATA, 0, 1, b"x"))
    assert taken == [(0, 1, b"x")]

    with pytest.raises(ConnectionFault):
        reader.read(frames.frame(Kind.DATA, 0, 3, b"x"))


def test_frame_too_long_is_refused_by_its_head(reader: Reader) -> None:
    """Nobody waits for the payload."""
    with pytest.raises(ConnectionFault) as fault:
        reader.read(frames.PREFACE + frames.HEAD.pack((frames.DEFAULT_FRAME + 1) << 8, 0, 1))
    assert fault.value.code is Code.FRAME_SIZE_ERROR


def test_wrong_preface_is_refused_by_its_first_byte(reader: Reader) -> None:
    """Nobody waits for the rest of it."""
    with pytest.raises(ConnectionFault):
        reader.read(b"G")
