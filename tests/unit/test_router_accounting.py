"""What is known of answers that nobody looks at."""

from dataclasses import dataclass, field

import pytest

from chimera_router.accounting.ending import AT_ONCE, Fate, StreamEnd, fate
from chimera_router.accounting.sampling import BUSY, LEAST, SPARE, Sampling
from chimera_router.accounting.unseen import LEAST_PATIENCE, PATIENCE, SETTLED, Unseen
from chimera_router.protocol.events import Accounting


def end(
    *,
    on_purpose: bool = False,
    shown: bool = True,
    half_closed: bool = False,
    streamed: bool | None = None,
    since: float = 10 * AT_ONCE,
) -> StreamEnd:
    return StreamEnd(on_purpose=on_purpose, shown=shown, half_closed=half_closed, streamed=streamed, since=since)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        pytest.param(end(on_purpose=True), Fate.GOES_ON, id="the picker has left"),
        pytest.param(end(), Fate.BROKE_OFF, id="reset before the answer"),
        pytest.param(end(streamed=True), Fate.BROKE_OFF, id="reset in the middle of it"),
        pytest.param(end(half_closed=True), Fate.BROKE_OFF, id="ended in good order before it, but late"),
        pytest.param(end(half_closed=True, since=0.0), Fate.GOES_ON, id="no phase for answers"),
        pytest.param(end(since=0.0), Fate.BROKE_OFF, id="reset at once"),
        pytest.param(end(shown=False, streamed=True), Fate.ENDED, id="kept open as long as the stream of events"),
        pytest.param(end(shown=False, streamed=True, since=0.0), Fate.GOES_ON, id="not kept open"),
        pytest.param(end(shown=False, streamed=False, since=0.0), Fate.ENDED, id="an answer in one piece"),
        pytest.param(end(shown=False), Fate.ENDED, id="kept open, nothing shown"),
        pytest.param(end(shown=False, since=0.0), Fate.GOES_ON, id="neither kept open nor anything shown"),
    ],
)
def test_the_end_of_a_stream_tells_what_became_of_its_answer(ended: StreamEnd, expected: Fate) -> None:
    """By who ended it, how, when, and what the gateway shows."""
    assert fate(ended) is expected


def test_all_is_looked_at_while_there_is_time() -> None:
    """And none the less after a quiet moment."""
    sampling = Sampling()
    sampling.used(SPARE / 2)

    assert [sampling.next() for _ in range(50)] == [Accounting.OBSERVE] * 50


def test_a_busy_picker_looks_at_less() -> None:
    """Less and less while it stays busy, but never at nothing: some lengths are always learned."""
    sampling = Sampling()
    shares = []
    for _ in range(50):
        sampling.used(1.0)
        shares.append(sampling.share)

    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == LEAST
    drawn = [sampling.next() for _ in range(1000)]
    assert drawn.count(Accounting.OBSERVE) == pytest.approx(1000 * LEAST, abs=1)


def test_what_was_given_up_comes_back() -> None:
    """Once there is time to spare; in between it stays as it is."""
    sampling = Sampling(share=0.5)
    sampling.used((BUSY + SPARE) / 2)
    between = sampling.share
    for _ in range(10):
        sampling.used(0.1)

    assert (between, sampling.share) == (0.5, 1.0)


@dataclass(eq=False)
class Answer:
    """An answer that notes what it is told."""

    request_id: str = ""
    address: str = "10.0.0.1:1"
    began: float = 0.0
    expected_tokens: float = 100.0
    expected_seconds: float = 10.0
    told: list[object] = field(default_factory=list)

    def progressed(self, output_tokens: int) -> None:
        self.told.append(output_tokens)

    def over(self, seconds: float | None) -> None:
        self.told.append(("over", seconds))

    def broke_off(self) -> None:
        self.told.append("broke off")


def test_the_access_log_ends_an_answer() -> None:
    """Complete or not, and with the time that the gateway measured; a second entry means nothing."""
    whole, cut, unseen = Answer("a"), Answer("b"), Unseen()
    unseen.add(whole)
    unseen.add(cut)
    for request_id, complete in (("a", True), ("a", True), ("b", False), ("never seen", True)):
        unseen.logged(request_id, complete=complete, seconds=3.5)

    assert (whole.told, cut.told, len(unseen)) == ([("over", 3.5)], ["broke off"], 0)


def test_an_id_that_is_used_again_ends_the_newer_answer() -> None:
    """The older one is left to the other signals."""
    older, newer, unseen = Answer("a"), Answer("a"), Unseen()
    unseen.add(older)
    unseen.add(newer)
    unseen.logged("a", complete=True, seconds=None)
    unseen.logged("a", complete=True, seconds=None)

    assert (older.told, newer.told, len(unseen)) == ([], [("over", None)], 1)


def test_an_engine_that_has_less_than_was_sent_has_ended_some() -> None:
    """Those that should be over first; what it has not had time to count is left alone."""
    unseen = Unseen()
    short, long, late = Answer(expected_seconds=5.0), Answer(expected_seconds=50.0), Answer(began=9.9)
    for answer in (long, short, late):
        unseen.add(answer)
    unseen.counted("10.0.0.1:1", there=2, own=3, at=10.0)
    unseen.counted("10.0.0.2:1", there=0, own=3, at=10.0)

    assert (short.told, long.told, late.told) == ([("over", None)], [], [])
    unseen.counted("10.0.0.1:1", there=0, own=2, at=9.9 + SETTLED + 0.01)
    assert len(unseen) == 0


def test_an_engine_with_others_requests_ends_nothing() -> None:
    """It may have as many as were sent, or more."""
    unseen, answer = Unseen(), Answer()
    unseen.add(answer)
    unseen.counted(answer.address, there=7, own=1, at=100.0)

    assert (answer.told, len(unseen)) == ([], 1)


def test_time_moves_answers_on_and_ends_them_at_last() -> None:
    """Backlog decays as if they came at the expected pace; far beyond that nobody waits any more."""
    unseen, answer, short = Unseen(), Answer(), Answer(expected_seconds=0.1)
    unseen.add(answer)
    unseen.add(short)
    for now in (2.5, 20.0):
        unseen.tick(now)
    before = list(answer.told)
    unseen.tick(PATIENCE * 10.0 + 0.1)

    assert before == [25, 100]
    assert answer.told[-1] == ("over", None)
    assert ("over", None) in short.told
    assert LEAST_PATIENCE < 20.0
    assert len(unseen) == 0
