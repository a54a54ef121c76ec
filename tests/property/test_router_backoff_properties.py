"""However often a call fails, the wait before the next one keeps its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from chimera_router.datalayer.backoff import CAP, FIRST, PATIENCE, delay

FAILURES, SPREAD = st.integers(1, 10_000), st.floats(0, 1)


@given(FAILURES, SPREAD)
def test_delay_stays_between_its_bounds(failures: int, spread: float) -> None:
    """No failure is retried at once, and none later than the cap."""
    assert FIRST / 2 <= delay(failures, spread=spread) <= CAP


@given(FAILURES, SPREAD)
def test_delay_grows_with_failures(failures: int, spread: float) -> None:
    """A further failure never shortens the wait."""
    assert delay(failures, spread=spread) <= delay(failures + 1, spread=spread)


@given(FAILURES, SPREAD, st.floats(0.001, 1e9))
def test_server_may_ask_for_a_minute(failures: int, spread: float, asked: float) -> None:
    """A server that says when to come back is left alone for as long, but for no more than a minute."""
    patient = min(asked, PATIENCE)

    assert patient <= delay(failures, spread=spread, retry_after=asked) <= patient + 1.0
