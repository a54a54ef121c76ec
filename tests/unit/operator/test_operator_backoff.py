"""How long to wait before what failed is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.cluster import backoff

FAILURES = st.integers(1, 10**6)
SPREAD = st.floats(0.0, 1.0)


@given(FAILURES, SPREAD, st.floats(0.2, 600.0))
def test_waits_grow_up_to_the_cap(failures: int, spread: float, cap: float) -> None:
    """A wait is never shorter than after fewer failures, and never longer than the cap."""
    now = backoff.delay(failures, spread=spread, cap=cap)

    assert now <= backoff.delay(failures + 1, spread=spread, cap=cap) <= cap
    assert now >= backoff.FIRST / 2


@given(FAILURES, SPREAD, st.floats(0.1, 10_000.0))
def test_a_server_that_asks_is_obeyed(failures: int, spread: float, retry_after: float) -> None:
    """At least as long as it asks for, but no longer than a minute and a second."""
    asked = backoff.delay(failures, spread=spread, retry_after=retry_after)

    assert min(retry_after, backoff.PATIENCE) <= asked <= backoff.PATIENCE + 1.0
