"""However messages are cut into frames, and whenever a service is ready: each comes once, whole, in order."""

from callers import Fakes, framed, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import data


@settings(max_examples=300)
@given(
    messages=st.lists(st.binary(max_size=300), max_size=10),
    cuts=st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=10),
)
def test_messages_may_be_cut_anywhere(messages: list[bytes], cuts: list[tuple[int, bool]]) -> None:
    """A service that is not always ready gets every message, one after the other, and the end after the last."""
    fakes = Fakes(patient=False)
    caller, made = fakes.caller, fakes.made
    number, sent, place = caller.open(), b"".join(map(framed, messages)), 0
    while place < len(sent):
        for size, ready in cuts:
            caller.send(data(number, sent[place : place + size]))
            place += size
            if ready and made[0].messages:
                made[0].rpc.resume()
    caller.send(data(number, end=True))
    for _ in messages:
        made[0].rpc.resume()

    assert made[0].messages == messages
    assert (made[0].ended, made[0].over, fakes.allowance.kept) == (1, 0, 0)


@settings(max_examples=300)
@given(
    sent=st.lists(st.one_of(st.binary(max_size=12), st.binary(max_size=9).map(framed)), max_size=6).map(b"".join),
    size=st.integers(1, 20),
)
def test_any_bytes_are_messages_or_the_end(sent: bytes, size: int) -> None:
    """Whatever comes, the service gets what a plain reading of the bytes gives, and the client the status for it."""
    fakes = Fakes()
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    for place in range(0, len(sent), size):
        caller.send(data(number, sent[place : place + size]))
    caller.send(data(number, end=True))

    messages, status = reference(sent)
    assert (made[0].messages, caller.answers[number].status) == (messages, status)
    assert (made[0].ended, made[0].over) == ((1, 0) if status is None else (0, 1))
    assert fakes.allowance.kept == 0
