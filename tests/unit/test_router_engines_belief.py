import pytest
from metrics_pages import vllm_page

from chimera_router.engines.belief import FROZEN_AFTER, Witness
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Outcome
from chimera_router.scheduling.types import EngineMetrics


@pytest.fixture
def witness() -> Witness:
    return Witness(VLLM)


def test_load_is_believed_while_it_moves(witness: Witness) -> None:
    """An engine whose numbers change with every step is believed, and its load is of the moment it was told."""
    witness.hear(vllm_page(3, 2, 0.25, made=10), 0.0)

    assert witness.hear(vllm_page(3, 2, 0.25, made=20), 7.0) == (
        Outcome.BELIEVED,
        EngineMetrics(running=3, waiting=2, kv_usage=0.25, scraped_at=7.0),
    )


def test_idle_engine_is_believed_at_once_and_for_ever(witness: Witness) -> None:
    """Nothing moves where nothing runs."""
    heard = [witness.hear(vllm_page(0, 0, 0.0), moment)[0] for moment in (0.0, FROZEN_AFTER, 10 * FROZEN_AFTER)]

    assert heard == [Outcome.BELIEVED] * 3


def test_claim_of_load_has_to_be_seen_moving_first(witness: Witness) -> None:
    """A page that was never seen to change may have been written by nobody."""
    heard = [witness.hear(vllm_page(3, 2, 0.25), moment) for moment in (0.0, 0.5, 100.0)]

    assert heard == [(Outcome.FROZEN, None)] * 3


def test_load_that_stops_moving_is_believed_for_a_while(witness: Witness) -> None:
    """After that it says nothing of the engine, until it moves again."""
    stuck, freed = vllm_page(106, 15, 0.9, made=10), vllm_page(1, 0, 0.1, made=20)
    witness.hear(vllm_page(1, 0, 0.1), 0.0)

    heard = [witness.hear(stuck, 1.0 + moment)[0] for moment in (0.0, FROZEN_AFTER - 0.1, FROZEN_AFTER)]

    assert heard == [Outcome.BELIEVED, Outcome.BELIEVED, Outcome.FROZEN]
    assert witness.hear(freed, 20.0)[0] is Outcome.BELIEVED


def test_first_request_to_an_idle_engine_is_seen_at_once(witness: Witness) -> None:
    """From nothing to something is a movement."""
    witness.hear(vllm_page(0, 0, 0.0), 0.0)

    outcome, metrics = witness.hear(vllm_page(1, 0, 0.01), 4.0)

    assert outcome is Outcome.BELIEVED
    assert metrics is not None
    assert metrics.running == 1


def test_bad_page_in_between_forgets_nothing(witness: Witness) -> None:
    """What was seen moving before a page that failed need not be seen moving again."""
    witness.hear(vllm_page(3, 0, 0.2), 0.0)
    witness.hear(vllm_page(4, 0, 0.3), 0.5)

    bad = witness.hear(vllm_page("NaN", 0, 0.3), 1.0)

    assert bad == (Outcome.ABSURD, None)
    assert witness.hear(vllm_page(4, 0, 0.3), 1.5)[0] is Outcome.BELIEVED


def test_empty_engine_has_room_whatever_its_cache_keeps(witness: Witness) -> None:
    """A cache full of what nobody uses keeps nobody out."""
    _, metrics = witness.hear(vllm_page(0, 0, 0.99), 0.0)

    assert metrics == EngineMetrics(running=0, waiting=0, kv_usage=0.0)
