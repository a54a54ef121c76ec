"""Rules of frontiers, whatever the points."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chimera_bench.frontier import (
    Frontier,
    Point,
    common_latencies,
    common_scores,
    frontier,
    latency_at,
    score_at,
)

POINTS = st.builds(Point, latency=st.integers(1, 1000).map(float), score=st.integers(0, 100).map(lambda n: n / 100))
SOME = st.lists(POINTS, min_size=1, max_size=12)
SCORES = st.floats(0, 1)
LATENCIES = st.floats(0.5, 1100)


@given(SOME)
def test_both_grow_along_a_frontier(points: list[Point]) -> None:
    """More time buys a higher score, or the point is not on it."""
    assert all(a.latency < b.latency and a.score < b.score for a, b in pairwise(frontier(points)))


@given(SOME)
def test_every_point_is_matched_by_one_on_the_frontier(points: list[Point]) -> None:
    """What is left out is beaten or equalled at both."""
    front = frontier(points)

    assert set(front) <= set(points)
    assert all(any(f.latency <= p.latency and f.score >= p.score for f in front) for p in points)


@given(SOME)
def test_the_order_of_the_points_does_not_matter(points: list[Point]) -> None:
    """Settings come in any order."""
    assert frontier(points) == frontier(reversed(points)) == frontier(frontier(points))


@given(SOME)
def test_interpolation_passes_through_the_points(points: list[Point]) -> None:
    """Each way."""
    for point in (front := frontier(points)):
        assert latency_at(front, point.score) == pytest.approx(point.latency)
        assert score_at(front, point.latency) == pytest.approx(point.score)


@given(SOME, SCORES, SCORES)
def test_higher_scores_take_no_less_time(points: list[Point], one: float, other: float) -> None:
    """Interpolated latency grows with the score."""
    front, (low, high) = frontier(points), sorted((one, other))
    fast, slow = latency_at(front, low), latency_at(front, high)

    assert slow is None or (fast is not None and fast <= slow + 1e-9)


@given(SOME, SCORES)
def test_the_two_interpolations_are_inverse(points: list[Point], score: float) -> None:
    """The score within the latency of a score is that score, or more below the lowest point."""
    front = frontier(points)
    latency = latency_at(front, score)
    assume(latency is not None)

    found = score_at(front, latency or 0.0)

    assert found is not None
    assert found == pytest.approx(max(score, front[0].score))


@given(SOME, SCORES, LATENCIES)
def test_nothing_is_promised_beyond_the_ends(points: list[Point], score: float, latency: float) -> None:
    """No score above the highest; no answer faster than the fastest; time beyond the slowest buys nothing."""
    front = frontier(points)

    assert (latency_at(front, score) is None) == (score > front[-1].score)
    assert (score_at(front, latency) is None) == (latency < front[0].latency)
    assert score_at(front, front[-1].latency + 1) == front[-1].score


@given(SOME, SOME)
def test_a_frontier_with_more_points_is_never_slower(points: list[Point], more: list[Point]) -> None:
    """At the points that it shares; between them a new point may bend the line, never above both ends."""
    few, many = frontier(points), frontier([*points, *more])

    for point in few:
        latency = latency_at(many, point.score)
        assert latency is not None
        assert latency <= point.latency + 1e-9


@given(SOME, SOME, st.integers(2, 9))
def test_common_scores_are_given_by_both(ours: list[Point], theirs: list[Point], count: int) -> None:
    """Evenly spaced over what both give, or none."""
    first, second = frontier(ours), frontier(theirs)
    scores = common_scores(first, second, count=count)

    assert len(scores) in {0, 1, count}
    assert list(scores) == sorted(scores)
    assert all(latency_at(front, score) is not None for front in (first, second) for score in scores)
    assert bool(scores) == (first[-1].score >= second[0].score)


@given(SOME, SOME, st.integers(2, 9))
def test_common_latencies_are_kept_by_both(ours: list[Point], theirs: list[Point], count: int) -> None:
    """Evenly spaced over what both keep, or none."""
    first, second = frontier(ours), frontier(theirs)
    latencies = common_latencies(first, second, count=count)

    assert all(score_at(front, latency) is not None for front in (first, second) for latency in latencies)
    assert bool(latencies) == (first[0].latency <= second[-1].latency)


@pytest.mark.parametrize("empty", [(), frontier([])])
def test_an_empty_frontier_gives_nothing(empty: Frontier) -> None:
    """No setting was played."""
    assert latency_at(empty, 0.0) is None
    assert score_at(empty, 1e9) is None
    assert not common_scores(empty, (Point(1.0, 0.5),), count=3)
    assert not common_latencies((Point(1.0, 0.5),), empty, count=3)


def test_interpolation_is_linear() -> None:
    """Halfway in score is halfway in latency: what a half of the workflows under each setting gives."""
    front = frontier([Point(10.0, 0.4), Point(20.0, 0.6), Point(15.0, 0.3)])

    assert latency_at(front, 0.5) == pytest.approx(15.0)
    assert score_at(front, 12.5) == pytest.approx(0.45)
    assert latency_at(front, 0.1) == 10.0
