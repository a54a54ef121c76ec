"""Latency against score: the settings of a policy that no other of its settings beats at both, and what lies between.

Pure. A frontier is interpolated linearly in latency and score: that is what mixing the two settings beside each other
would give, a share of the workflows under each. Below its lowest point a frontier goes on at that point's latency,
which already gives a higher score; above its highest point there is nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One setting of a policy: seconds and share solved."""

    latency: float
    score: float


Frontier = tuple[Point, ...]
"""Points in order of latency, each with a higher score than all before it."""


def frontier(points: Iterable[Point]) -> Frontier:
    """Return the points that no other point equals or beats at both, in order of latency."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.latency, -point.score)):
        if not kept or point.score > kept[-1].score:
            kept.append(point)
    return tuple(kept)


def latency_at(front: Frontier, score: float) -> float | None:
    """Return the least seconds at which the frontier gives this score; None where it never does."""
    if not front or score > front[-1].score:
        return None
    return _between(((point.score, point.latency) for point in front), score)


def score_at(front: Frontier, latency: float) -> float | None:
    """Return the highest score that the frontier gives within this many seconds; None where it gives none."""
    if not front or latency < front[0].latency:
        return None
    if latency >= front[-1].latency:
        return front[-1].score
    return _between(((point.latency, point.score) for point in front), latency)


def common_scores(first: Frontier, second: Frontier, *, count: int) -> Sequence[float]:
    """Return evenly spaced scores, at most `count` of them, from where the second begins to where either ends.

    Empty where the first never gives what the second gives at least.
    """
    if not first or not second:
        return ()
    low, high = second[0].score, min(first[-1].score, second[-1].score)
    return _spaced(low, high, count)


def common_latencies(first: Frontier, second: Frontier, *, count: int) -> Sequence[float]:
    """Return evenly spaced latencies, at most `count` of them, at which both give a score, to where the second ends.

    Empty where the first is slower than the second at its slowest.
    """
    if not first or not second:
        return ()
    return _spaced(max(first[0].latency, second[0].latency), second[-1].latency, count)


def _spaced(low: float, high: float, count: int) -> Sequence[float]:
    if low > high:
        return ()
    if low == high:
        return (low,)
    step = (high - low) / (count - 1)
    return (*(low + step * number for number in range(count - 1)), high)


def _between(points: Iterable[tuple[float, float]], x: float) -> float:
    """Return the y at x of a line through points in order of x, the first point's y before it."""
    line = list(points)
    if x <= line[0][0]:
        return line[0][1]
    (x0, y0), (x1, y1) = next((a, b) for a, b in pairwise(line) if x <= b[0])
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
