"""One connection: requests reach their handlers, faults end what they concern, and the end is in good order."""

import pytest
from peers import BLOCK, FIELDS, Frame, Peer, data, goaway, headers, only, parsed, ping, settings

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.connection import Connection
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import LARGEST, literal
from chimera_router.extproc.http2.terms import Terms

PRIORITISED = frames.PRIORITISED | frames.END_HEADERS
UNFINISHED = frames.frame(Kind.HEADERS, 0, 3, BLOCK)
CONTINUED = frames.frame(Kind.CONTINUATION, 0, 3, b"x" * 16_384)


def ended(answers: list[Frame]) -> Code:
    """Return why the connection was ended, by the last frame of it."""
    return goaway(answers[-1])[1]


def test_greeting_states_the_terms() -> None:
    """The first frame says how many streams, bytes and headers are taken; the second widens the connection's window."""
    terms = Terms(streams=7, stream_window=100_000, connection_window=1_000_000)
    first, second = parsed(Connection(terms, lambda *_: None).output())

    told = dict(frames.SETTING.iter_unpack(first.payload))
    assert told[Setting.MAX_CONCURRENT_STREAMS] == 7
    assert told[Setting.INITIAL_WINDOW_SIZE] == 100_000
    assert told[Setting.MAX_HEADER_LIST_SIZE] == LARGEST
    assert (second.kind, frames.word(second.payload)) == (Kind.WINDOW_UPDATE, 1_000_000 - 65_535)


def test_settings_are_acknowledged() -> None:
    """The peer's settings are answered before anything else."""
    peer = Peer(greet=False)
    peer.read()

    assert peer.send(frames.PREFACE + settings(max_frame_size=20_000)) == [Frame(Kind.SETTINGS, frames.ACK, 0)]
    assert peer.connection.greeted


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\x00",
        frames.PREFACE + ping(),
        frames.PREFACE + headers(1),
    ],
    ids=["http1", "preface", "ping", "headers"],
)
def test_other_beginnings_are_refused(start: bytes) -> None:
    """What does not begin with the preface and settings is no HTTP/2."""
    peer = Peer(greet=False)

    assert ended(peer.send(start)) is Code.PROTOCOL_ERROR
    assert peer.connection.closed
    assert not peer.connection.greeted


def test_request_reaches_its_handler() -> None:
    """Headers, data and the end come in order; the response goes back the same way."""
    peer = Peer()
    served = peer.open()
    peer.send(data(1, b"one"), data(1, b"two", end=True))
    served.respond(b"answer")

    assert served.headers[":path"] == "/service/Method"
    assert (served.received, served.ended, served.over) == (b"onetwo", True, False)
    assert [(frame.kind, frame.payload) for frame in peer.read()][1:] == [(Kind.DATA, b"answer"), (Kind.DATA, b"")]
    assert len(peer.connection) == 0


def test_headers_may_end_the_request() -> None:
    """A request may have no body."""
    assert Peer().open(end=True).ended


def test_trailers_end_the_request() -> None:
    """A second header block is trailers, and the last that is said."""
    peer = Peer()
    served = peer.open()
    peer.send(headers(1, literal((("x", "y"),)), end=True))

    assert served.ended


def test_trailers_have_to_end_the_request() -> None:
    """A second header block in the middle is a fault of the stream."""
    peer = Peer()
    served = peer.open()

    assert [frame.code for frame in peer.send(headers(1))] == [Code.PROTOCOL_ERROR]
    assert served.over


def test_early_response_tells_the_peer_to_stop() -> None:
    """A response that is complete before the request ends the stream; what is still on its way is passed over."""
    peer = Peer()
    served = peer.open()
    served.respond()
    answers = peer.read()

    assert (answers[-1].kind, answers[-1].code) == (Kind.RST_STREAM, Code.NO_ERROR)
    assert len(peer.connection) == 0
    assert peer.send(data(1, b"late"), data(1, b"", end=True)) == []
    assert peer.send(headers(1, literal((("x", "y"),)), end=True)) == []
    assert served.received == b""
    assert not peer.connection.closed


def test_early_response_waits_for_its_data() -> None:
    """The peer is told to stop after the response's data, however long that waits for room."""
    peer = Peer()
    peer.send(settings(initial_window_size=0))
    served = peer.open()
    served.respond(b"answer")
    assert only(peer.read(), Kind.RST_STREAM) == []
    assert len(peer.connection) == 1

    kinds = [frame.kind for frame in peer.send(frames.window_update(1, 6))]

    assert kinds == [Kind.DATA, Kind.DATA, Kind.RST_STREAM]
    assert len(peer.connection) == 0


def test_declared_length_binds() -> None:
    """More or less data than the request declared is a fault of the stream."""
    for stream, (size, end) in enumerate([(4, False), (2, True)]):
        peer, number = Peer(), 2 * stream + 1
        served = peer.open(number, block=BLOCK + literal((("content-length", "3"),)))
        assert [frame.code for frame in peer.send(data(number, b"x" * size, end=end))] == [Code.PROTOCOL_ERROR]
        assert served.over


@pytest.mark.parametrize("declared", ["3", "-1", "abc", "³"])
def test_request_without_its_body_is_no_request(declared: str) -> None:
    """Headers that end a request but declare a body, or no length at all, never reach a handler."""
    peer = Peer()
    answers = peer.send(headers(1, BLOCK + literal((("content-length", declared),)), end=True))

    assert [frame.code for frame in answers] == [Code.PROTOCOL_ERROR]
    assert peer.served == {}
    assert len(peer.connection) == 0


def test_streams_beyond_the_terms_are_refused() -> None:
    """One stream too many is refused, the others go on; its data is passed over, and a place that is free is taken."""
    peer = Peer(Terms(streams=2))
    peer.open(1)
    second = peer.open(3)

    refused = peer.send(headers(5), data(5, b"unheard"))

    assert [(frame.stream, frame.code) for frame in refused] == [(5, Code.REFUSED_STREAM)]
    peer.send(data(3, b"heard", end=True))
    second.respond()
    assert second.received == b"heard"
    assert peer.open(7).headers


def test_burst_beyond_the_terms_ends_nothing() -> None:
    """A peer that has not heard of the terms may open any number of streams: those too many are refused, no more."""
    peer = Peer(Terms(streams=10, controls=100))

    answers = peer.send(*(headers(stream) + data(stream, b"x" * 10) for stream in range(1, 20_001, 2)))

    assert [frame.code for frame in answers] == [Code.REFUSED_STREAM] * 9_990
    assert len(peer.connection) == 10
    assert not peer.connection.closed


FAULTS = {
    "data on the connection": (data(0), Code.PROTOCOL_ERROR),
    "data on no stream": (data(3), Code.PROTOCOL_ERROR),
    "headers on the connection": (headers(0), Code.PROTOCOL_ERROR),
    "headers of a server": (headers(2), Code.PROTOCOL_ERROR),
    "frame too long": (data(1, b"x" * 16_385), Code.FRAME_SIZE_ERROR),
    "padding without its length": (frames.frame(Kind.DATA, frames.PADDED, 1), Code.PROTOCOL_ERROR),
    "padding only": (frames.frame(Kind.DATA, frames.PADDED, 1, b"\x06hello"), Code.PROTOCOL_ERROR),
    "continuation of nothing": (frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 1, BLOCK), Code.PROTOCOL_ERROR),
    "data in a block": (UNFINISHED + data(1), Code.PROTOCOL_ERROR),
    "continuation elsewhere": (UNFINISHED + frames.frame(Kind.CONTINUATION, 4, 1, b""), Code.PROTOCOL_ERROR),
    "headers in a block": (UNFINISHED + headers(5), Code.PROTOCOL_ERROR),
    "depends on itself": (frames.frame(Kind.HEADERS, PRIORITISED, 3, b"\0\0\0\x03\0" + BLOCK), Code.PROTOCOL_ERROR),
    "priority cut short": (frames.frame(Kind.HEADERS, PRIORITISED, 3, b"\0\0"), Code.FRAME_SIZE_ERROR),
    "block of garbage": (headers(3, b"\xff" * 20), Code.COMPRESSION_ERROR),
    "block too long": (UNFINISHED + CONTINUED * (LARGEST // 16_384 + 1), Code.ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_connection_end_it(fault: str) -> None:
    """What breaks the framing itself ends the connection with the RFC's code, and every stream hears of it."""
    sent, code = FAULTS[fault]
    peer = Peer()
    served = peer.open()

    answers = peer.send(sent)

    assert ended(answers) is code
    assert peer.connection.closed
    assert served.over
    assert peer.send(ping()) == []


def test_fault_of_a_stream_ends_only_that() -> None:
    """Data on a stream that the peer itself has ended resets it; its neighbour goes on."""
    peer = Peer()
    first, second = peer.open(1, end=True), peer.open(3)

    assert [frame.code for frame in peer.send(data(1, b"more"))] == [Code.STREAM_CLOSED]
    assert first.over
    peer.send(data(3, b"heard"))
    assert second.received == b"heard"


def test_data_after_the_peers_reset_is_a_fault() -> None:
    """Data and headers on a stream that the peer has reset itself are told so."""
    peer = Peer()
    served = peer.open()
    peer.send(frames.rst_stream(1, Code.CANCEL))

    assert served.over
    assert [frame.code for frame in peer.send(data(1, b"x"))] == [Code.STREAM_CLOSED]
    peer.open(3)
    peer.send(frames.rst_stream(3, Code.CANCEL))
    assert ended(peer.send(headers(3))) is Code.STREAM_CLOSED


def test_lower_number_than_the_last_is_refused() -> None:
    """Stream numbers only grow."""
    peer = Peer()
    peer.open(5)

    assert ended(peer.send(headers(3))) is Code.PROTOCOL_ERROR


def test_padding_is_no_data_but_takes_room() -> None:
    """Padding is thrown away, and counted against the windows."""
    peer = Peer(Terms(stream_window=20))
    served = peer.open()
    answers = peer.send(frames.frame(Kind.DATA, frames.PADDED, 1, b"\x08hello" + bytes(8)))

    assert served.received == b"hello"
    assert [frames.word(frame.payload) for frame in only(answers, Kind.WINDOW_UPDATE)] == [14]


def test_header_block_may_come_in_pieces() -> None:
    """HEADERS and CONTINUATION frames are one block, with priority and padding around it."""
    peer = Peer()
    start = frames.frame(Kind.HEADERS, frames.PRIORITISED | frames.PADDED, 1, b"\x02\0\0\0\0\x10" + BLOCK[:9] + b"\0\0")
    middle = frames.frame(Kind.CONTINUATION, 0, 1, BLOCK[9:20])
    peer.send(start, middle, frames.frame(Kind.CONTINUATION, frames.END_HEADERS, 1, BLOCK[20:]))

    assert dict(peer.served[1].headers) == dict(FIELDS)


def test_unknown_frames_are_passed_over() -> None:
    """Kinds, flags and settings that nobody knows mean nothing."""
    peer = Peer()
    unknown = frames.frame(0x42, 0xFF, 7, b"x") + frames.frame(Kind.SETTINGS, 0, 0, frames.SETTING.pack(0x99, 1))

    assert [frame.kind for frame in peer.send(unknown, ping(flags=0xFE))] == [Kind.SETTINGS, Kind.PING]


def test_draining_serves_what_comes_until_the_peer_has_heard() -> None:
    """First the peer is asked for no more, then told which stream was the last; what it opens in between is served."""
    peer = Peer()
    first = peer.open(1)
    peer.connection.drain()
    asked, last_call = peer.read()
    assert goaway(asked) == (frames.STREAM_MASK, Code.NO_ERROR)
    late = peer.open(3)
    assert not peer.connection.told

    answers = peer.send(ping(last_call.payload, frames.ACK))

    assert goaway(answers[0]) == (3, Code.NO_ERROR)
    assert peer.connection.told
    assert [frame.code for frame in peer.send(headers(5))] == [Code.REFUSED_STREAM]
    assert not peer.connection.closed
    peer.send(data(1, end=True), data(3, end=True))
    first.respond(b"whole")
    late.respond(b"whole")
    assert peer.connection.closed
    assert [frame.payload for frame in peer.read() if frame.kind == Kind.DATA and frame.payload] == [b"whole"] * 2


def test_draining_twice_says_so_once() -> None:
    """Whoever has been asked is not asked again; other pings' answers mean nothing."""
    peer = Peer()
    peer.connection.drain()
    peer.connection.drain()

    assert len(peer.read()) == 2
    assert peer.send(ping(b"whatever", frames.ACK)) == []
    assert not peer.connection.told


def test_end_resets_what_is_open() -> None:
    """An end without a fault names the last stream, and every handler hears of it once."""
    peer = Peer()
    served = peer.open()
    peer.connection.fail(Code.NO_ERROR)
    peer.connection.fail(Code.INTERNAL_ERROR)
    peer.connection.lost()

    assert [goaway(frame) for frame in peer.read()] == [(1, Code.NO_ERROR)]
    assert served.over
    assert len(peer.connection) == 0
