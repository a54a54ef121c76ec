"""A peer has room for what was taken, never for more, and none while it leaves too much unread."""

import pytest
from peers import FIELDS, Peer, data, only, parsed, settings

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.inflow import Inflow
from chimera_router.extproc.http2.outbox import Outbox
from chimera_router.extproc.http2.streams import Stream
from chimera_router.extproc.http2.terms import Terms

TERMS = Terms(stream_window=100, connection_window=1_000)


@pytest.fixture
def out() -> Outbox:
    return Outbox(lambda _: None)


@pytest.fixture
def inflow(out: Outbox) -> Inflow:
    return Inflow(TERMS, out)


@pytest.fixture
def stream() -> Stream:
    return Stream(1, window=100, room=0, headers=dict(FIELDS))


def updates(out: Outbox) -> list[tuple[int, int]]:
    return [(frame.stream, frames.word(frame.payload)) for frame in parsed(out.take())]


def test_connections_window_opens_by_half(inflow: Inflow, out: Outbox) -> None:
    """Room is given back once half of it was used, all of it at once."""
    inflow.arrived(499)
    inflow.reopen()
    assert updates(out) == []

    inflow.arrived(1)
    inflow.reopen()

    assert updates(out) == [(0, 500)]


def test_more_than_the_connection_has_room_for_is_a_fault(inflow: Inflow) -> None:
    """A byte too many ends the connection."""
    inflow.arrived(1_000)
    with pytest.raises(ConnectionFault) as fault:
        inflow.arrived(1)
    assert fault.value.code is Code.FLOW_CONTROL_ERROR


def test_more_than_a_stream_has_room_for_is_a_fault(inflow: Inflow, stream: Stream) -> None:
    """A byte too many ends the stream."""
    inflow.arrived_on(stream, 100)
    with pytest.raises(StreamFault) as fault:
        inflow.arrived_on(stream, 1)
    assert fault.value.code is Code.FLOW_CONTROL_ERROR


def test_streams_window_opens_by_half(inflow: Inflow, out: Outbox, stream: Stream) -> None:
    """So does a stream's, unless one side has said its last."""
    inflow.arrived_on(stream, 49)
    inflow.reopen_stream(stream)
    inflow.arrived_on(stream, 1)
    inflow.reopen_stream(stream)
    assert updates(out) == [(1, 50)]

    inflow.arrived_on(stream, 100)
    stream.ended_here = True
    inflow.reopen_stream(stream)
    assert updates(out) == []


def test_who_leaves_answers_unread_gets_no_room_to_ask() -> None:
    """The connection's window stays shut while too much waits for the peer's; it opens when the peer takes it."""
    peer = Peer(Terms(connection_window=100_000, unread=10_000))
    peer.send(settings(initial_window_size=0))
    served = peer.open(1)
    served.respond(bytes(10_001))
    peer.open(3)
    asked = [peer.send(data(3, bytes(16_000))) for _ in range(6)]
    assert [frame for answers in asked for frame in only(answers, Kind.WINDOW_UPDATE) if frame.stream == 0] == []

    answers = peer.send(frames.window_update(1, 1))

    assert [(frame.stream, frames.word(frame.payload)) for frame in answers if frame.kind == Kind.WINDOW_UPDATE] == [
        (0, 96_000)
    ]


def test_room_comes_back_when_a_stream_is_given_up_here() -> None:
    """A peer that waits for room hears of it although it says nothing itself."""
    peer = Peer(Terms(connection_window=70_000, unread=0))
    peer.send(settings(initial_window_size=0))
    peer.open(1).respond(b"x")
    peer.open(3)
    assert peer.send(data(3, bytes(16_000)), data(3, bytes(16_000)), data(3, bytes(8_000))) == []

    peer.connection._out.forget(peer.served[1].stream)

    assert [(frame.stream, frames.word(frame.payload)) for frame in peer.read()] == [(0, 40_000)]


def test_held_data_keeps_its_streams_window_shut() -> None:
    """Data that its handler is not done with gives no room until the handler says so."""
    peer = Peer(Terms(stream_window=20_000))
    served = peer.open()
    served.done = False
    assert peer.send(data(1, bytes(16_000))) == []

    peer.connection.release(served.stream)

    assert [(frame.stream, frames.word(frame.payload)) for frame in peer.read()] == [(1, 16_000)]
