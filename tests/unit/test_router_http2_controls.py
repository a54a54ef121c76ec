"""Control frames do what the RFC says, and there may be so many of them as a gateway needs."""

import pytest
from peers import Frame, Peer, data, goaway, headers, only, ping, settings

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.controls import MOST_SETTINGS
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.terms import Terms


def ended(answers: list[Frame]) -> Code:
    return goaway(answers[-1])[1]


def test_ping_is_answered_with_its_payload() -> None:
    """An answer to a ping is not answered."""
    peer = Peer()

    assert peer.send(ping(b"12345678")) == [Frame(Kind.PING, frames.ACK, 0, b"12345678")]
    assert peer.send(ping(b"12345678", frames.ACK)) == []


def test_settings_change_what_is_sent() -> None:
    """Frame size and initial window hold for streams that are open too; push needs no leave."""
    peer = Peer()
    served = peer.open()
    peer.send(settings(initial_window_size=30_000, max_frame_size=25_000, enable_push=0, header_table_size=0))
    served.respond(bytes(40_000))

    assert [len(frame.payload) for frame in only(peer.read(), Kind.DATA)] == [25_000, 5_000]


def test_answer_to_settings_comes_before_what_they_let_go() -> None:
    """A peer may count on its new settings from the moment they were acknowledged."""
    peer = Peer()
    peer.send(settings(initial_window_size=0))
    peer.open().respond(b"x")
    peer.read()

    assert [frame.kind for frame in peer.send(settings(initial_window_size=9))] == [
        Kind.SETTINGS,
        Kind.DATA,
        Kind.DATA,
        Kind.RST_STREAM,
    ]


def test_settings_hold_together() -> None:
    """What a wider window lets go is cut to the frame size that the same settings state after it."""
    peer = Peer()
    peer.send(settings(initial_window_size=0, max_frame_size=30_000))
    peer.open().respond(bytes(30_000))
    peer.read()

    answers = peer.send(settings(initial_window_size=30_000, max_frame_size=16_384))

    assert [len(frame.payload) for frame in only(answers, Kind.DATA)] == [16_384, 13_616, 0]


def test_reset_reaches_the_handler() -> None:
    """A stream that the peer ends is over at once; whatever waited for it is dropped."""
    peer = Peer()
    peer.send(settings(initial_window_size=0))
    served = peer.open()
    served.respond(b"x")
    peer.read()
    peer.send(frames.rst_stream(1, Code.CANCEL))

    assert served.over
    assert len(peer.connection) == 0
    assert peer.send(frames.rst_stream(1, Code.CANCEL), frames.window_update(1, 5)) == []


FAULTS = {
    "ping on a stream": (frames.frame(Kind.PING, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    "ping of another size": (frames.frame(Kind.PING, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
    "settings on a stream": (frames.frame(Kind.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    "settings of another size": (frames.frame(Kind.SETTINGS, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR),
    "answer with settings": (frames.frame(Kind.SETTINGS, frames.ACK, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
    "window too large": (settings(initial_window_size=1 << 31), Code.FLOW_CONTROL_ERROR),
    "frame size too small": (settings(max_frame_size=16_383), Code.PROTOCOL_ERROR),
    "frame size too large": (settings(max_frame_size=1 << 24), Code.PROTOCOL_ERROR),
    "push neither on nor off": (settings(enable_push=2), Code.PROTOCOL_ERROR),
    "promise of a client": (frames.frame(Kind.PUSH_PROMISE, 4, 1, bytes(4)), Code.PROTOCOL_ERROR),
    "reset of the connection": (frames.rst_stream(0, Code.CANCEL), Code.PROTOCOL_ERROR),
    "reset of no stream": (frames.rst_stream(3, Code.CANCEL), Code.PROTOCOL_ERROR),
    "reset of another size": (frames.frame(Kind.RST_STREAM, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR),
    "goodbye on a stream": (frames.frame(Kind.GOAWAY, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
    "update of another size": (frames.frame(Kind.WINDOW_UPDATE, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR),
    "update of no stream": (frames.window_update(3, 1), Code.PROTOCOL_ERROR),
    "update by nothing": (frames.window_update(0, 0), Code.PROTOCOL_ERROR),
    "update by too much": (frames.window_update(0, frames.LARGEST_WINDOW), Code.FLOW_CONTROL_ERROR),
    "priority of the connection": (frames.frame(Kind.PRIORITY, 0, 0, bytes(5)), Code.PROTOCOL_ERROR),
    "priority over itself": (frames.frame(Kind.PRIORITY, 0, 9, b"\0\0\0\x09\0"), Code.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_connection_end_it(fault: str) -> None:
    """Each is answered with the code that the RFC names."""
    sent, code = FAULTS[fault]
    peer = Peer()
    served = peer.open()

    assert ended(peer.send(sent)) is code
    assert served.over


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frames.window_update(1, 0), Code.PROTOCOL_ERROR),
        (frames.window_update(1, frames.LARGEST_WINDOW), Code.FLOW_CONTROL_ERROR),
        (frames.frame(Kind.PRIORITY, 0, 1, bytes(4)), Code.FRAME_SIZE_ERROR),
    ],
    ids=["nothing", "too much", "priority"],
)
def test_faults_of_a_stream_end_only_that(sent: bytes, code: Code) -> None:
    """The connection goes on."""
    peer = Peer()
    served = peer.open()

    assert [frame.code for frame in peer.send(sent)] == [code]
    assert served.over
    assert not peer.connection.closed


def test_rapid_reset_is_stopped() -> None:
    """Streams that are opened and reset at once, without a word, end the connection (CVE-2023-44487)."""
    peer = Peer(Terms(resets=100))
    pairs = [headers(n) + frames.rst_stream(n, Code.CANCEL) for n in range(1, 203, 2)]

    assert peer.send(*pairs[:100]) == []
    assert ended(peer.send(pairs[100])) is Code.ENHANCE_YOUR_CALM


def test_slow_resets_are_not() -> None:
    """A tenth of the burst comes back each second."""
    peer = Peer(Terms(resets=100))
    for n in range(1, 2_001, 2):
        peer.now += 0.1
        peer.send(headers(n) + frames.rst_stream(n, Code.CANCEL))

    assert not peer.connection.closed


def test_clients_that_give_up_are_not_counted() -> None:
    """50,000 requests that said something and were then given up end nothing: a gateway passes on its clients' ends."""
    peer = Peer()
    for n in range(1, 100_001, 2):
        peer.send(headers(n) + data(n, b"x") + frames.rst_stream(n, Code.CANCEL))

    assert not peer.connection.closed
    assert len(peer.connection) == 0


FLOODS = {
    "pings": ping(),
    "answers to pings": ping(flags=frames.ACK),
    "settings": settings(max_frame_size=16_384),
    "answers to settings": frames.frame(Kind.SETTINGS, frames.ACK, 0),
    "priorities": frames.frame(Kind.PRIORITY, 0, 9, bytes(5)),
    "window updates": frames.window_update(0, 1),
    "window updates of a stream": frames.window_update(1, 1),
    "empty data": data(1),
    "padding": frames.frame(Kind.DATA, frames.PADDED, 1, b"\0"),
    "goodbyes": frames.goaway(0, Code.NO_ERROR),
    "unknown frames": frames.frame(0x42, 0, 0),
    "resets of closed streams": frames.rst_stream(3, Code.CANCEL),
    "data on closed streams": data(3) + frames.rst_stream(3, Code.CANCEL),
    "headers in crumbs": frames.frame(Kind.HEADERS, 0, 5)
    + frames.frame(Kind.CONTINUATION, 0, 5) * 99
    + frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 5),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_are_stopped(flood: str) -> None:
    """What costs a peer next to nothing may come in a burst of some thousands, then the connection ends."""
    terms = Terms(controls=2_000)
    peer = Peer(terms)
    peer.open(1)
    peer.open(3, end=True)
    peer.send(frames.rst_stream(3, Code.CANCEL))

    answers = [frame for _ in range(100) for frame in peer.send(FLOODS[flood] * 100)]

    assert ended(answers) in {Code.ENHANCE_YOUR_CALM, Code.PROTOCOL_ERROR}
    assert peer.connection.closed


@pytest.mark.parametrize("kind", ["pings", "settings", "window updates", "empty data"])
def test_what_a_gateway_sends_is_not(kind: str) -> None:
    """A thousand a second may come for ever."""
    peer = Peer()
    peer.open()
    for _ in range(1_000):
        peer.now += 0.1
        peer.send(FLOODS[kind] * 100)

    assert not peer.connection.closed


def test_answers_may_be_answered() -> None:
    """A peer that opens both windows and pings for every 100 bytes that it is sent is as busy as the server is."""
    peer = Peer()
    for n in range(1, 40_001, 2):
        served = peer.open(n, end=True)
        served.respond(bytes(100))
        peer.read()
        peer.send(frames.window_update(0, 100), frames.window_update(0, 100), ping())

    assert not peer.connection.closed


def test_windows_of_many_streams_are_not_moved_for_a_few_bytes() -> None:
    """A setting that moves 1,000 windows counts as twenty frames more; a frame of dozens of them is refused at once."""
    peer = Peer(Terms(controls=1_000))
    for n in range(1, 2_001, 2):
        peer.open(n)
    toggles = [settings(initial_window_size=size) for size in (1, 2)]

    assert not any(only(peer.send(toggles[n % 2]), Kind.GOAWAY) for n in range(40))
    assert any(only(peer.send(toggles[n % 2]), Kind.GOAWAY) for n in range(20))
    many = frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1)] * (MOST_SETTINGS + 1))
    assert ended(Peer().send(many)) is Code.ENHANCE_YOUR_CALM
