import pytest
from pools import prediction, request

from chimera_router.scheduling.orders import EPOCH, Arrival, Attained, RemainingFirst, StageFirst
from chimera_router.scheduling.types import ModelPrediction

LONG_WORKFLOW = ModelPrediction(confidence=0.5, stage_tokens=50.0, remaining_tokens=900.0)


def test_remaining_first_counts_the_whole_workflow() -> None:
    """The rank at the epoch is the tokens of this and all later stages."""
    assert RemainingFirst().rank(request(arrival=EPOCH), LONG_WORKFLOW) == 900


def test_stage_first_counts_this_request_alone() -> None:
    """What later stages need does not matter."""
    assert StageFirst().rank(request(arrival=EPOCH), LONG_WORKFLOW) == 50


@pytest.mark.parametrize("order", [RemainingFirst(20.0), StageFirst(20.0)], ids=lambda order: order.name)
def test_waiting_counts_in_tokens(order: RemainingFirst | StageFirst) -> None:
    """A request that came five seconds later stands a hundred tokens behind its equal."""
    first, later = (order.rank(request(arrival=EPOCH + at), prediction()) for at in (10.0, 15.0))

    assert later - first == 100


@pytest.mark.parametrize(("attained", "rank"), [(0, 0), (99, 0), (100, 100), (299, 100), (300, 300), (700, 700)])
def test_attained_sorts_into_levels_that_double(attained: int, rank: int) -> None:
    """Levels begin at 0, 1, 3, 7 quanta of service."""
    assert Attained(quantum=100.0).rank(request(tokens_so_far=attained), prediction()) == rank


def test_attained_knows_no_prediction() -> None:
    """A workflow of unknown length and one of known stand alike."""
    order = Attained()

    assert order.rank(request(tokens_so_far=1000), prediction(tokens=1)) == order.rank(
        request(tokens_so_far=1000), prediction(tokens=5000)
    )


def test_arrival_leaves_the_queue_to_the_engine() -> None:
    """First come, first served needs no number."""
    assert Arrival().rank(request(), prediction()) is None  # type: ignore[func-returns-value]
