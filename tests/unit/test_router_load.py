import pytest
from pools import queue


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        pytest.param(0, (0, 0.0), id="before all"),
        pytest.param(20, (2, 30.0), id="behind its equal, which came first"),
        pytest.param(99, (3, 70.0), id="behind all"),
        pytest.param(None, (3, 70.0), id="in order of arrival"),
    ],
)
def test_queue_counts_those_of_a_lower_rank(rank: int | None, expected: tuple[int, float]) -> None:
    """A newcomer stands behind every rank up to its own, by requests and tokens."""
    assert queue([(30, 40.0), (10, 10.0), (20, 20.0)]).ahead(rank, 3) == expected


@pytest.mark.parametrize(("waiting", "expected"), [(0, (0, 0.0)), (1, (1, 40.0)), (2, (2, 60.0)), (9, (3, 70.0))])
def test_queue_takes_the_lowest_ranks_to_be_admitted(waiting: int, expected: tuple[int, float]) -> None:
    """Of those that have generated nothing only the last so many stand in the queue."""
    assert queue([(30, 40.0), (10, 10.0), (20, 20.0)]).ahead(None, waiting) == expected


def test_queue_of_nobody_is_empty() -> None:
    """Nobody stands before a newcomer to an empty queue."""
    assert queue([]).ahead(None, 5) == (0, 0.0)
