import math

import pytest

from chimera_router.flowcontrol.drain import MEMORY, DrainRate


def test_nothing_drained_is_no_rate() -> None:
    """Without an observation the time is unknown."""
    rate = DrainRate()
    rate.advance(5.0, waiting=True)

    assert rate.seconds(10.0) == math.inf


def test_steady_drain_is_its_rate() -> None:
    """Ten tokens every half second are twenty a second."""
    rate, now = DrainRate(), 0.0
    rate.advance(now, waiting=False)
    for _ in range(1000):
        now += 0.5
        rate.advance(now, waiting=True)
        rate.drained(10.0)

    assert rate.seconds(100.0) == pytest.approx(5.0, rel=0.02)


def test_time_with_an_empty_queue_does_not_count() -> None:
    """A queue that was empty for an hour has not drained slowly."""
    rate = DrainRate()
    rate.advance(0.0, waiting=False)
    rate.advance(1.0, waiting=True)
    rate.drained(10.0)

    rate.advance(3600.0, waiting=False)

    assert rate.seconds(20.0) == pytest.approx(2.0, rel=0.02)


def test_the_past_fades() -> None:
    """Engines that have become ten times slower are believed after a few memories."""
    rate, now = DrainRate(), 0.0
    rate.advance(now, waiting=False)
    for gap, count in ((0.1, 1000), (1.0, int(5 * MEMORY))):
        for _ in range(count):
            now += gap
            rate.advance(now, waiting=True)
            rate.drained(1.0)

    assert rate.seconds(10.0) == pytest.approx(10.0, rel=0.1)
