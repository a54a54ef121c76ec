"""What a picker takes over a long run, and how much more of it at the end: the arithmetic of a soak."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A picker at a moment.

    Attributes:
        requests: That it had been sent by then.
        resident: Bytes of its memory.
        workflows: In its table.
    """

    requests: int
    resident: int
    workflows: int


def growth(readings: Sequence[Reading]) -> float:
    """Return the share by which memory grows over the last half of the requests, by a straight line through it.

    A line, since a single reading may fall between a request's coming and its going. Two readings make one.
    """
    half = readings[-1].requests / 2
    late = [reading for reading in readings if reading.requests >= half]
    if len(late) < 2:
        return 0.0
    line = statistics.linear_regression([each.requests for each in late], [each.resident for each in late])
    begin, end = (line.slope * requests + line.intercept for requests in (late[0].requests, late[-1].requests))
    return end / begin - 1.0
