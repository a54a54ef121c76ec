from chimera_router.sharing.breaker import FIRST_PAUSE, LATE_ANSWERS, LONGEST_PAUSE, ONE_STALL, Breaker, State


def closed() -> Breaker:
    breaker = Breaker()
    breaker.try_again(0.0)
    breaker.answered()
    return breaker


def test_nobody_waits_for_a_server_that_never_answered() -> None:
    """A new breaker is open, and its first trial is due at once."""
    breaker = Breaker()

    assert breaker.state is State.OPEN
    assert breaker.try_again(0.0)
    assert breaker.state is State.HALF_OPEN


def test_an_absence_is_told_of_once() -> None:
    """Also where the server was never there, and again once it has been there."""
    breaker = Breaker()

    for _ in range(2):
        told = []
        for _ in range(3):
            breaker.try_again(breaker.retry_at)
            told.append(breaker.lost(max(0.0, breaker.retry_at)))
        assert told == [True, False, False]
        breaker.try_again(breaker.retry_at)
        assert breaker.answered()


def test_a_lost_connection_opens_it_at_once() -> None:
    """There is nothing to wait for."""
    breaker = closed()

    assert breaker.lost(0.0)
    assert breaker.state is State.OPEN


def test_hiccups_open_nothing() -> None:
    """Late answers with one in time between them are no absence."""
    breaker = closed()

    for number in range(10):
        for late in range(LATE_ANSWERS - 1):
            assert not breaker.late(number + late / 10)
        assert not breaker.answered()

    assert breaker.state is State.CLOSED


def test_late_answers_in_a_row_open_it() -> None:
    """The last of them says that the server is away, until the first pause is over."""
    breaker = closed()

    told = [breaker.late(7.0 + late / 10) for late in range(LATE_ANSWERS)]

    away = 7.0 + (LATE_ANSWERS - 1) / 10
    assert told == [False] * (LATE_ANSWERS - 1) + [True]
    assert not breaker.try_again(away + FIRST_PAUSE - 0.01)
    assert breaker.try_again(away + FIRST_PAUSE)


def test_one_stall_is_one_late_answer() -> None:
    """However many look-ups it has made late."""
    breaker = closed()

    for number in range(100):
        assert not breaker.late(7.0 + number * ONE_STALL / 101)

    assert breaker.state is State.CLOSED


def test_a_failed_trial_doubles_the_pause() -> None:
    """Up to the longest one, whether it fails or is late."""
    breaker, now, pauses = closed(), 0.0, []
    breaker.lost(now)
    for number in range(6):
        pauses.append(breaker.retry_at - now)
        now = breaker.retry_at
        assert breaker.try_again(now)
        assert not (breaker.late(now) if number % 2 else breaker.lost(now))

    assert pauses == [0.5, 1.0, 2.0, 4.0, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_trial_that_succeeds_closes_it() -> None:
    """The absence is over, and the next one begins with the first pause again."""
    breaker = closed()
    for _ in range(2):
        breaker.lost(0.0)
        assert breaker.retry_at == FIRST_PAUSE
        breaker.try_again(FIRST_PAUSE)
        assert breaker.answered()
        assert breaker.state is State.CLOSED
