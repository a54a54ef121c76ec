"""Messages however they are cut, quantiles of any values, growth in any unit."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_bench.load import answers, http1
from chimera_bench.load.figures import Spread, quantile
from chimera_bench.load.http1 import Message
from chimera_bench.soak.readings import Reading, growth

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1)

MESSAGES = [
    answers.whole(18_001),
    answers.stream_head(18_001) + 3 * answers.event() + answers.stream_end(3),
    http1.request("POST", "/v1/chat/completions", b'{"model": "auto"}'),
    http1.request("GET", "/metrics"),
]


@given(st.sampled_from(MESSAGES), st.sets(st.integers(1, 2000)))
def test_a_message_is_complete_with_its_last_byte_and_not_before(data: bytes, cuts: set[int]) -> None:
    """Where reads cut a message changes nothing about it."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    message = Message()

    complete = [message.feed(data[start:end]) for start, end in itertools.pairwise(edges)]

    whole = Message()
    assert complete == [False] * (len(complete) - 1) + [True] == [False] * (len(complete) - 1) + [whole.feed(data)]
    assert (message.head, message.size, message.tail) == (whole.head, whole.size, whole.tail)


@given(numbers, st.floats(0.01, 1.0))
def test_a_quantile_is_passed_by_no_larger_share(values: list[float], share: float) -> None:
    """It is one of the values, and at least so many of them are not above it."""
    found = quantile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) <= share * len(values)


@given(numbers)
def test_a_spread_holds_its_middle(values: list[float]) -> None:
    """The median lies between the least and the most."""
    spread = Spread.of(values)

    assert spread.low <= spread.middle <= spread.high


@given(st.lists(st.integers(10**6, 10**9), min_size=2, max_size=30), st.integers(2, 10))
def test_growth_is_a_share(resident: list[int], factor: int) -> None:
    """In whatever unit memory is read."""

    def grown(unit: int) -> float:
        return growth(
            [Reading(requests=n, resident=size * unit, workflows=0) for n, size in enumerate(resident, start=1)]
        )

    assert grown(factor) == pytest.approx(grown(1), abs=1e-6)
