"""What is known of streams that are open, and of those that were."""

import pytest
from peers import FIELDS

from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.streams import Stream, Streams


def stream(number: int, **headers: str) -> Stream:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Stream(number, window=10, room=10, headers=dict(FIELDS) | named)


@pytest.fixture
def streams() -> Streams:
    made = Streams()
    made.last = 9
    made.add(stream(9))
    return made


def test_stream_is_settled_when_its_response_is(streams: Streams) -> None:
    """It is forgotten once the response is complete and nothing of it waits."""
    one = streams.get(9)
    assert one is not None
    streams.settle(one)
    assert len(streams) == 1

    one.ended_here = True
    streams.settle(one)

    assert (len(streams), streams.get(9)) == (0, None)


def test_dropping_twice_says_so(streams: Streams) -> None:
    """The second time there is nothing to drop."""
    one = next(iter(streams))
    assert streams.drop(one, by_peer=True)
    assert not streams.drop(one, by_peer=True)


def test_data_after_the_end_is_judged_by_who_ended_it(streams: Streams) -> None:
    """Data for a stream that was ended here was on its way; the peer must not go on after its own end."""
    streams.remember(3, by_peer=False)
    streams.remember(5, by_peer=True)

    streams.data_after(3)
    with pytest.raises(StreamFault) as fault:
        streams.data_after(5)
    assert (fault.value.stream, fault.value.code) == (5, Code.STREAM_CLOSED)
    for number in (0, 11):
        with pytest.raises(ConnectionFault):
            streams.data_after(number)


def test_headers_after_the_end_are_judged_by_who_ended_it(streams: Streams) -> None:
    """So it is with headers; a number that was skipped cannot be used any more."""
    streams.remember(3, by_peer=False)
    streams.remember(5, by_peer=True)

    streams.headers_after(3)
    for number, code in ((5, Code.STREAM_CLOSED), (1, Code.PROTOCOL_ERROR)):
        with pytest.raises(ConnectionFault) as fault:
            streams.headers_after(number)
        assert fault.value.code is code


def test_what_is_over_for_long_is_forgotten(streams: Streams) -> None:
    """Memory of closed streams is bounded; late data on one of them is passed over."""
    streams.last = 10_001
    for number in range(1, 10_001, 2):
        streams.remember(number, by_peer=True)

    streams.data_after(1)
    assert len(streams._over) == 1_000


def test_clearing_returns_what_was_open(streams: Streams) -> None:
    """All of it, once."""
    assert [one.number for one in streams.clear()] == [9]
    assert streams.clear() == []


@pytest.mark.parametrize("declared", ["", "-1", "1.5", "0x1", "٣", " 1"])
def test_length_is_a_number(declared: str) -> None:
    """A request that declares anything else never becomes a stream."""
    with pytest.raises(StreamFault):
        stream(1, content_length=declared)


def test_declared_length_is_kept() -> None:
    """Neither more nor less than declared may come; without a length anything may."""
    one = stream(1, content_length="3")
    one.take(b"ab")
    with pytest.raises(StreamFault):
        one.complete()
    one.take(b"c")
    one.complete()
    with pytest.raises(StreamFault):
        one.take(b"d")
    free = stream(3)
    free.take(b"anything")
    free.complete()
    assert free.ended_there
