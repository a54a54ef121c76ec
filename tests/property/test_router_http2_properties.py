"""Whatever a peer sends, and however it is cut: order, windows and wholeness hold, and everything ends."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from model_peers import ModelPeer
from peers import BLOCK, Peer, data, headers, ping

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.http2.terms import Terms

SMALL = Terms(streams=50, stream_window=500, connection_window=70_000, unread=3_000, resets=1 << 30, controls=1 << 30)
SIZES = st.integers(1, 20_000)
NUMBERS = st.integers(0, 40)


class Conversation(RuleBasedStateMachine):
    """A client and a server that both keep the rules, in any order of what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.peer = ModelPeer(SMALL)
        self.number = -1
        self.answers: dict[int, bytes] = {}

    def pick(self, numbers: Iterable[int], index: int) -> int | None:
        """Return one of the streams that are still going on."""
        listed = [number for number in numbers if not self.peer.served[number].over]
        return listed[index % len(listed)] if listed else None

    def talking(self, index: int) -> int | None:
        requests = self.peer.requests
        return self.pick((n for n, request in requests.items() if not request.ended and request.over is None), index)

    @precondition(lambda self: len(self.peer.connection) < SMALL.streams)
    @rule()
    def open(self) -> None:
        self.number += 2
        self.peer.open(self.number)

    @rule(index=NUMBERS, size=SIZES, end=st.booleans())
    def upload(self, index: int, size: int, end: bool) -> None:  # noqa: FBT001 - drawn
        number = self.talking(index)
        if number is not None:
            self.peer.upload(number, bytes([number % 251]) * size, end=end)

    @rule(index=NUMBERS, done=st.booleans())
    def hold(self, index: int, done: bool) -> None:  # noqa: FBT001 - drawn
        number = self.talking(index)
        if number is not None:
            served = self.peer.served[number]
            served.done = done
            if done:
                self.peer.connection.release(served.stream)
                self.peer.read()

    @rule(index=NUMBERS, sizes=st.lists(SIZES, max_size=4))
    def answer(self, index: int, sizes: list[int]) -> None:
        number = self.pick((n for n in self.peer.served if n not in self.answers), index)
        if number is not None:
            pieces = [bytes([size % 251]) * size for size in sizes]
            self.answers[number] = b"".join(pieces)
            self.peer.served[number].respond(*pieces)
            self.peer.read()

    @rule(index=NUMBERS)
    def cancel(self, index: int) -> None:
        number = self.pick((n for n, request in self.peer.requests.items() if request.over is None), index)
        if number is not None and not (self.peer.requests[number].complete and self.peer.requests[number].ended):
            self.peer.write(frames.rst_stream(number, Code.CANCEL))
            self.peer.requests[number].over = Code.CANCEL
            self.answers[number] = bytes(self.peer.requests[number].received)

    @rule(size=st.integers(0, 50_000), frame_size=st.integers(16_384, 20_000))
    def settle(self, size: int, frame_size: int) -> None:
        self.peer.set(initial_window_size=size, max_frame_size=frame_size)

    @rule(index=NUMBERS, size=SIZES)
    def grant(self, index: int, size: int) -> None:
        number = self.pick(self.peer.requests, index)
        self.peer.grant(number or 0, size)

    @rule(size=SIZES)
    def grant_connection(self, size: int) -> None:
        self.peer.grant(0, size)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.peer.connection.closed
        for number, served in self.peer.served.items():
            assert len(served.received) == len(self.peer.requests[number].sent)
            assert served.ended == self.peer.requests[number].ended or served.over

    def teardown(self) -> None:
        """Let everybody finish: then all of it has arrived, and nothing is left."""
        peer = self.peer
        peer.set(initial_window_size=1 << 20)
        peer.grant(0, 1 << 30)
        for number, request in peer.requests.items():
            served = peer.served[number]
            served.done = True
            peer.connection.release(served.stream)
            peer.read()
            if not request.ended and request.over is None:
                assert peer.upload(number, b"x" * 2_000, end=True) == b""
            if number not in self.answers:
                self.answers[number] = b"last"
                served.respond(b"last")
                peer.read()
            peer.grant(number, 1 << 20)
            assert served.received == request.sent
            assert request.received == self.answers[number]
            assert request.complete or request.over is Code.CANCEL
        assert len(peer.connection) == 0
        assert peer.connection.held == 0
        super().teardown()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=200, stateful_step_count=80)


FRAME = st.builds(
    frames.frame,
    kind=st.sampled_from([*Kind, 42]),
    flags=st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x25, 0xFF]),
    stream=st.sampled_from([0, 1, 2, 3, 5, 1 << 31 | 1]),
    payload=st.one_of(
        st.binary(max_size=20),
        st.sampled_from([BLOCK, b"\x03" + BLOCK + b"\0\0\0", bytes(4), bytes(5), bytes(8), b"\0\0\x10\0"]),
    ),
)
SCRIPT = st.lists(
    st.one_of(FRAME, st.integers(0, 3).map(lambda n: headers(2 * n + 1)), st.just(data(1, b"hello")), st.just(ping())),
    max_size=30,
)


@settings(max_examples=300)
@given(script=SCRIPT, cuts=st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_reads_may_be_cut_anywhere(script: list[bytes], cuts: list[int]) -> None:
    """What reaches the handlers, and what is said, is the same for one read and for many."""
    sent = b"".join(script)
    whole, cut = Peer(), Peer()
    at_once = whole.send(sent)
    in_pieces, place = [], 0
    for size in cuts * len(sent):
        if place >= len(sent):
            break
        in_pieces += cut.send(sent[place : place + size])
        place += size

    assert in_pieces == at_once
    assert cut.connection.closed == whole.connection.closed
    for number, served in whole.served.items():
        other = cut.served[number]
        assert (served.received, served.ended, served.over) == (other.received, other.ended, other.over)


@settings(max_examples=300)
@given(st.one_of(SCRIPT.map(b"".join), st.binary(max_size=400)))
def test_any_bytes_end_in_good_order(sent: bytes) -> None:
    """Nothing raises; a fault is told by the last frame, handlers hear of the end once, and nothing is left open."""
    peer = Peer()
    answers = peer.send(sent)

    if peer.connection.closed:
        assert answers[-1].kind == Kind.GOAWAY
        assert peer.send(sent) == []
    peer.connection.lost()
    assert len(peer.connection) == 0
    assert peer.connection.held == 0
    assert all(served.over for served in peer.served.values())


@settings(max_examples=8)
@given(
    window=st.integers(1_000, 3_000_000),
    grants=st.lists(st.integers(100_000, 4_000_000), min_size=1, max_size=20),
    changes=st.lists(st.integers(0, 1_000_000), min_size=1, max_size=5),
)
def test_bodies_of_16_mib_pass_both_ways(window: int, grants: list[int], changes: list[int]) -> None:
    """Two streams at once, each with 16 MiB there and back, in windows of any size that change on the way."""
    peer = ModelPeer(Terms(controls=1 << 30))
    body = bytes(range(256)) * (1 << 16)
    left = dict.fromkeys((1, 3), body)
    for number in left:
        peer.open(number)
    peer.set(initial_window_size=window)
    for _ in range(200):
        left = {number: peer.upload(number, rest, end=True) for number, rest in left.items()}
        if not any(left.values()):
            break
    for number in left:
        assert peer.served[number].received == body
        peer.served[number].respond(*(body[place : place + 62_000] for place in range(0, len(body), 62_000)))
    peer.read()

    turn = 0
    while not all(peer.requests[number].complete for number in left):
        peer.set(initial_window_size=changes[turn % len(changes)])
        for number in (0, 1, 3):
            if number == 0 or not peer.requests[number].complete:
                peer.grant(number, grants[turn % len(grants)])
        turn += 1
        assert turn < 20_000

    assert all(peer.requests[number].received == body for number in left)
    assert len(peer.connection) == 0
