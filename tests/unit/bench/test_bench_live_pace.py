"""How fast a live comparison may run."""

import pytest
from bench_grounds import ground

from chimera_bench.live.pace import FASTEST, pace


def test_requests_come_as_fast_as_this_machine_can() -> None:
    """Half of the tasks take two stages: 1.5 requests a workflow, at the workflows a second that arrive."""
    played = ground()

    speed = pace(played, 0.85, requests_per_second=2.0)

    assert speed * played.rate(0.85) * 1.5 == pytest.approx(2.0)


def test_less_load_is_played_faster() -> None:
    """The real rate is what is bounded."""
    played = ground()

    assert pace(played, 0.4, requests_per_second=2.0) == pytest.approx(2 * pace(played, 0.8, requests_per_second=2.0))


def test_steps_are_never_shorter_than_this_machine_can_wait() -> None:
    """However few requests there are."""
    assert pace(ground(), 0.001) == FASTEST
