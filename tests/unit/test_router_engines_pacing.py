from itertools import pairwise

import pytest

from chimera_router.engines.pacing import DEFAULT_PACE, FAST, JITTER, RETRY, SLOW, Activity, Timetable, activity
from chimera_router.engines.types import Outcome
from chimera_router.scheduling.scheduler import METRICS_MAX_AGE
from chimera_router.scheduling.types import EngineMetrics

A, B = "10.0.0.1:8000", "10.0.0.2:8000"
IDLE = EngineMetrics(running=0, waiting=0, kv_usage=0.0)
LOADED = EngineMetrics(running=0, waiting=1, kv_usage=0.0)


@pytest.fixture
def timetable() -> Timetable:
    """A timetable of one engine, without jitter."""
    made = Timetable(DEFAULT_PACE, draw=lambda: 0.0)
    made.add([A], 0.0)
    return made


def intervals(timetable: Timetable, *seems: Activity) -> list[float]:
    """Return the seconds from each question to the next one, the engine having answered at once, as it then seemed."""
    asked = [timetable.due() or 0.0]
    for each in seems:
        timetable.take(asked[-1])
        timetable.settle(A, each, asked[-1])
        due = timetable.due()
        assert due is not None
        asked.append(due)
    return [later - earlier for earlier, later in pairwise(asked)]


@pytest.mark.parametrize(
    ("outcome", "metrics", "own", "expected"),
    [
        (Outcome.BELIEVED, IDLE, 0, Activity.IDLE),
        (Outcome.BELIEVED, IDLE, 1, Activity.BUSY),
        (Outcome.BELIEVED, LOADED, 0, Activity.BUSY),
        (Outcome.MISSING, None, 0, Activity.IDLE),
        (Outcome.ABSURD, None, 2, Activity.BUSY),
        (Outcome.FROZEN, None, 0, Activity.IDLE),
        (Outcome.SLOW, None, 2, Activity.SILENT),
        (Outcome.UNREACHABLE, None, 2, Activity.SILENT),
    ],
)
def test_activity_is_ours_or_anybody_elses(
    outcome: Outcome, metrics: EngineMetrics | None, own: int, expected: Activity
) -> None:
    """An engine is busy with this picker's requests or with others that it shows; a silent one is asked less."""
    assert activity(outcome, metrics, own=own) is expected


def test_busy_engine_is_asked_fast(timetable: Timetable) -> None:
    """However long it has been busy."""
    assert intervals(timetable, *[Activity.BUSY] * 4) == [FAST] * 4


def test_idle_engine_is_asked_ever_more_rarely(timetable: Timetable) -> None:
    """The interval doubles up to a bound, and starts again after traffic."""
    seems = [Activity.IDLE] * 5 + [Activity.BUSY] + [Activity.IDLE] * 2

    assert intervals(timetable, *seems) == [0.5, 1.0, 2.0, SLOW, SLOW, FAST, 0.5, 1.0]


def test_silent_engine_is_asked_again_soon(timetable: Timetable) -> None:
    """It backs off to a bound that recovery can bear."""
    assert intervals(timetable, *[Activity.SILENT] * 4) == [0.5, 1.0, RETRY, RETRY]


def test_silence_is_counted_from_its_end(timetable: Timetable) -> None:
    """An engine that takes three seconds to say nothing gets a rest before it is asked again."""
    timetable.take(0.0)
    timetable.settle(A, Activity.SILENT, 3.0)

    assert timetable.due() == 3.5


def test_slow_answer_of_a_busy_engine_delays_nothing(timetable: Timetable) -> None:
    """The next question comes an interval after the last one was put, and at once if that has passed."""
    timetable.take(0.0)
    timetable.settle(A, Activity.BUSY, 0.4)
    assert timetable.due() == FAST

    timetable.take(FAST)
    timetable.settle(A, Activity.BUSY, 2.0)
    assert timetable.due() == 2.0


def test_idle_engine_that_answers_is_never_unknown() -> None:
    """The slowest pace keeps what an engine said within the age that the scheduler believes."""
    assert SLOW + FAST < METRICS_MAX_AGE


def test_request_brings_an_idle_engines_turn_forward(timetable: Timetable) -> None:
    """What it said seconds ago is old once a request goes there."""
    intervals(timetable, *[Activity.IDLE] * 4)
    asked = 3.5
    assert timetable.due() == asked + SLOW

    assert timetable.hurry(A, asked + 2.0)
    assert timetable.due() == asked + 2.0


def test_request_does_not_disturb_a_busy_engines_turn(timetable: Timetable) -> None:
    """Nobody is asked more often than at the fast pace, however many requests come."""
    intervals(timetable, Activity.IDLE, Activity.IDLE, Activity.BUSY)
    asked = 1.5

    assert not any(timetable.hurry(A, asked + moment / 100) for moment in range(50))
    assert timetable.due() == asked + FAST


def test_hurry_right_after_an_answer_keeps_the_pace(timetable: Timetable) -> None:
    """An idle engine asked a moment ago is asked again when a busy one would be."""
    intervals(timetable, *[Activity.IDLE] * 4)
    timetable.take(7.5)
    timetable.settle(A, Activity.IDLE, 7.5)

    timetable.hurry(A, 7.6)

    assert timetable.due() == 7.5 + FAST


def test_engine_under_question_has_no_turn(timetable: Timetable) -> None:
    """It is never asked twice at a time, whatever happens meanwhile."""
    assert timetable.take(0.0) == [A]

    assert not timetable.hurry(A, 1.0)
    assert timetable.take(100.0) == []
    assert timetable.due() is None


def test_strangers_have_no_turns(timetable: Timetable) -> None:
    """News of an engine that is not in the timetable changes nothing."""
    assert not timetable.hurry(B, 0.0)
    timetable.settle(B, Activity.BUSY, 0.0)

    assert timetable.take(100.0) == [A]


def test_new_engine_is_asked_at_once_and_an_old_one_keeps_its_turn(timetable: Timetable) -> None:
    """A new list of engines disturbs none that stays."""
    timetable.take(0.0)
    timetable.settle(A, Activity.IDLE, 0.0)

    timetable.add([A, B], 0.1)

    assert timetable.take(0.1) == [B]
    assert timetable.due() == FAST


def test_engine_that_left_is_not_asked(timetable: Timetable) -> None:
    """Neither at the turn it had, nor when its last question comes back; should it return, it is new."""
    timetable.add([B], 0.0)
    timetable.take(0.0)
    timetable.settle(B, Activity.BUSY, 0.0)

    timetable.keep([])
    timetable.settle(A, Activity.BUSY, 0.1)
    assert timetable.due() is None

    timetable.add([A], 0.2)
    timetable.settle(A, Activity.SILENT, 0.3)  # the question of before
    assert timetable.take(0.2) == [A]


def test_jitter_only_shortens() -> None:
    """Intervals are bounds: what is drawn makes them shorter by a tenth at most."""
    timetable = Timetable(DEFAULT_PACE, draw=lambda: 1.0)
    timetable.add([A], 0.0)

    assert intervals(timetable, Activity.BUSY) == pytest.approx([FAST * (1.0 - JITTER)])
