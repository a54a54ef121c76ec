"""Messages reach a call's service whole and in order, and a call ends once, for both sides."""

import pytest
from callers import Fakes, framed
from peers import data

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.rpc import LARGEST_MESSAGE, Status


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


def test_messages_come_whole(fakes: Fakes) -> None:
    """Several in a frame, one over several, an empty one: each comes once, then the end."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    sent = [b"one", b"", b"three" * 10]
    whole = b"".join(map(framed, sent))
    for place in range(0, len(whole), 7):
        caller.send(data(number, whole[place : place + 7]))
    caller.send(data(number, end=True))

    assert made[0].messages == sent
    assert (made[0].ended, made[0].over, fakes.allowance.kept) == (1, 0, 0)


def test_answers_are_framed(fakes: Fakes) -> None:
    """Headers come once, messages with their lengths, the status last; an answer without messages is one frame."""
    caller, made = fakes.caller, fakes.made
    number, other = caller.open(), caller.open()
    made[0].rpc.send((b"a", b""))
    made[0].rpc.send((b"bc",))
    made[0].rpc.finish()
    made[1].rpc.finish(Status.INVALID_ARGUMENT)
    caller.read()

    answer = caller.answers[number]
    assert (answer.messages, answer.status, answer.complete) == ([b"a", b"", b"bc"], Status.OK, True)
    assert answer.fields["content-type"] == "application/grpc"
    assert "grpc-message" not in answer.fields
    refused = caller.answers[other]
    assert (refused.http, refused.status, refused.complete) == ("200", Status.INVALID_ARGUMENT, True)
    assert refused.fields["grpc-message"] == "invalid argument"


def test_finished_call_says_and_hears_nothing_more(fakes: Fakes) -> None:
    """What its service or its client still says is nothing; the client is told to stop."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.say(number, b"x")
    made[0].rpc.finish()
    made[0].rpc.finish(Status.INTERNAL)
    made[0].rpc.send((b"late",))
    made[0].rpc.abort(Status.INTERNAL)
    made[0].rpc.resume()
    caller.read()
    caller.say(number, b"late")
    caller.cancel(number)

    answer = caller.answers[number]
    assert (answer.status, answer.messages, answer.stopped) == (Status.OK, [], Code.NO_ERROR)
    assert (made[0].messages, made[0].ended, made[0].over) == ([b"x"], 0, 0)
    assert (fakes.allowance.calls, len(fakes.connection)) == (0, 0)


def test_cancelled_call_is_over_for_its_service(fakes: Fakes) -> None:
    """It hears of it once, and half a message is let go."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.send(data(number, framed(b"half")[:6]))
    assert fakes.allowance.kept == 6

    caller.cancel(number)

    assert (made[0].ended, made[0].over) == (0, 1)
    assert (fakes.allowance.kept, fakes.allowance.calls) == (0, 0)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\1" + framed(b"compressed")[1:], Status.UNIMPLEMENTED),
        (b"\0" + (LARGEST_MESSAGE + 1).to_bytes(4, "big"), Status.RESOURCE_EXHAUSTED),
        (b"\0\xff\xff\xff\xff", Status.RESOURCE_EXHAUSTED),
    ],
    ids=["compressed", "too large", "far too large"],
)
def test_messages_that_cannot_be_taken_end_the_call(fakes: Fakes, sent: bytes, status: Status) -> None:
    """The client gets gRPC's status for it, the service hears that it is over, and what follows is thrown away."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.send(data(number, framed(b"fine") + sent + framed(b"never")))

    assert caller.answers[number].status is not None
    assert caller.answers[number].status == status
    assert (made[0].messages, made[0].over, made[0].ended) == ([b"fine"], 1, 0)


def test_largest_message_is_taken(fakes: Fakes) -> None:
    """4 MiB come whole, in as many frames as it takes."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    whole = framed(bytes(LARGEST_MESSAGE))
    for place in range(0, len(whole), 16_384):
        caller.send(data(number, whole[place : place + 16_384]))

    assert [len(message) for message in made[0].messages] == [LARGEST_MESSAGE]


def test_half_a_message_at_the_end_is_none(fakes: Fakes) -> None:
    """A client that stops in the middle of one has not said its last in good order."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.send(data(number, framed(b"half")[:6], end=True))

    assert caller.answers[number].status == Status.INTERNAL
    assert (made[0].messages, made[0].ended, made[0].over) == ([], 0, 1)


def test_service_that_is_not_ready_gets_the_next_message_later() -> None:
    """What comes meanwhile waits in order, the end too, and the stream's window stays shut."""
    fakes = Fakes(patient=False)
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.say(number, b"1", b"2")
    caller.say(number, b"3", end=True)
    rpc, heard = made[0].rpc, [list(made[0].messages)]
    for _ in range(3):
        rpc.resume()
        heard.append([*made[0].messages, *[b"end"] * made[0].ended])

    assert heard == [[b"1"], [b"1", b"2"], [b"1", b"2", b"3"], [b"1", b"2", b"3", b"end"]]
    assert fakes.allowance.kept == 0


def test_window_opens_once_the_service_is_ready() -> None:
    """A client that goes on while a choice is made has room for its window, and gets it back."""
    fakes = Fakes(patient=False)
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.say(number, b"1")
    for _ in range(15):
        caller.send(data(number, framed(bytes(16_000))))
    made[0].patient = True
    updates_before = fakes.connection._inflow._taken

    made[0].rpc.resume()

    assert updates_before == fakes.connection._inflow._taken > 128 * 1024
    assert len(made[0].messages) == 16
    assert frames.window_update(number, 16_005 * 15 + 6) in fakes.connection.output()


def test_calls_together_may_keep_so_much() -> None:
    """Whose bytes are too many, of messages that are not whole, is ended; the others go on."""
    fakes = Fakes()
    caller, made = fakes.caller, fakes.made
    fakes.allowance.most_bytes = 100
    first, second = caller.open(), caller.open()
    caller.send(data(first, framed(bytes(80))[:60]))
    caller.send(data(second, framed(bytes(80))[:60]))

    assert caller.answers[second].status == Status.RESOURCE_EXHAUSTED
    assert made[1].over == 1
    assert fakes.allowance.kept == 60
    caller.send(data(first, framed(bytes(80))[60:]))
    assert (made[0].messages, fakes.allowance.kept) == ([bytes(80)], 0)


def test_calls_beyond_the_most_are_turned_away() -> None:
    """They get UNAVAILABLE, which gateways may try elsewhere, and reach no service; a call that ends makes room."""
    fakes = Fakes()
    caller, made = fakes.caller, fakes.made
    fakes.allowance.most_calls = 2
    first, _, third = caller.open(), caller.open(), caller.open()

    assert caller.answers[third].status == Status.UNAVAILABLE
    assert (len(made), fakes.allowance.calls) == (2, 2)
    caller.cancel(first)
    assert caller.answers[caller.open()].status is None


def test_flush_writes_at_once(fakes: Fakes) -> None:
    """A service that speaks unasked is heard."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    made[0].rpc.send((b"news",))
    made[0].rpc.flush()

    assert caller.answers[number].messages == [b"news"]
