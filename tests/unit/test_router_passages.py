"""What is measured of a request's stay at an engine, told by hand."""

import pytest

from chimera_router.scheduling.fitting import Passage
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.types import EngineMetrics


def opened(meters: Meters, now: float, *, uncached: float = 100.0, metrics: EngineMetrics | None = None) -> Passing:
    return meters.open("engine", slots=2, uncached=uncached, metrics=metrics, now=now)


def left(passing: Passing, tokens: int, now: float, metrics: EngineMetrics | None = None) -> Passage:
    passage = passing.ended(tokens, metrics, now)
    passing.closed(metrics, now)
    assert passage is not None
    return passage


def scraped(running: int, waiting: int = 0, *, usage: float = 0.1, at: float = 0.0) -> EngineMetrics:
    return EngineMetrics(running=running, waiting=waiting, kv_usage=usage, scraped_at=at)


def test_request_that_found_room_is_measured_as_a_whole() -> None:
    """Its own prompt and its neighbour's, and the batch on average over the time."""
    meters = Meters()
    first = opened(meters, 0.0)
    opened(meters, 6.0, uncached=50.0)

    assert left(first, 100, 10.0) == Passage(seconds=10.0, tokens=100, batch=pytest.approx(1.4), prefill=150.0)


def test_chunks_of_an_admitted_request_change_nothing() -> None:
    """An answer in a hundred chunks and one in a single piece measure the same."""
    streamed, whole = opened(Meters(), 0.0), opened(Meters(), 0.0)
    streamed.progressed(2, None, 5.0)
    streamed.progressed(90, None, 9.0)

    assert left(streamed, 100, 10.0) == left(whole, 100, 10.0)


def test_stream_that_may_have_waited_is_measured_from_its_first_tokens() -> None:
    """Time in the queue is left out, and so are the tokens that came with the first chunk."""
    meters = Meters()
    opened(meters, 0.0), opened(meters, 0.0)
    third = opened(meters, 0.0)
    third.progressed(1, None, 1.0)  # the role alone
    third.progressed(20, None, 30.0)

    assert left(third, 100, 40.0) == Passage(seconds=10.0, tokens=80, batch=2.0, prefill=0.0)


def test_answer_in_one_piece_that_may_have_waited_is_measured_by_what_all_made() -> None:
    """Two slots that made 400 tokens in 40 s took 200 steps; the one whose end is the moment counts by half."""
    meters = Meters()
    first, second, third = opened(meters, 0.0), opened(meters, 0.0), opened(meters, 0.0)
    left(first, 100, 10.0)
    fourth = opened(meters, 10.0)
    left(second, 200, 20.0)
    opened(meters, 20.0)
    left(fourth, 100, 30.0)
    opened(meters, 30.0)

    assert left(third, 200, 40.0) == Passage(seconds=40.0, tokens=250.0, batch=2.0, prefill=100.0)


def test_buffered_stream_is_treated_as_one_piece() -> None:
    """A gateway that holds an answer back until most of it is there tells no pace by its chunks."""
    meters = Meters()
    opened(meters, 0.0), opened(meters, 0.0)
    third = opened(meters, 0.0)
    third.progressed(90, None, 40.0)
    passage = left(third, 100, 40.0)

    assert passage.seconds == 40.0


def test_requests_of_others_count_as_of_the_last_scrape() -> None:
    """What the engine runs beyond this picker's own, until the next scrape says otherwise."""
    meters = Meters()
    first = opened(meters, 0.0, metrics=scraped(0, at=-1.0))
    second = opened(meters, 5.0, metrics=scraped(2, at=5.0))

    assert second.admitted is False
    assert left(first, 100, 10.0, scraped(2, at=5.0)).batch == pytest.approx(1.5)


def test_engine_that_holds_back_runs_what_it_says() -> None:
    """Where requests wait for KV blocks, the batch is what was seen running, not what was sent."""
    meters = Meters()
    passing = [meters.open("engine", slots=64, uncached=0.0, metrics=None, now=0.0) for _ in range(10)]
    waits = scraped(running=3, waiting=7, at=0.0)
    passing[0].progressed(2, waits, 0.0)

    assert left(passing[0], 100, 10.0, waits).batch == pytest.approx(3.0)


@pytest.mark.parametrize("metrics", [scraped(1, 1), scraped(1, usage=0.95)], ids=["queue", "cache"])
def test_engine_without_room_is_recognised(metrics: EngineMetrics) -> None:
    """Somebody in its queue, or little left of its KV cache."""
    assert not opened(Meters(), 1.0, metrics=metrics).admitted


def test_a_queue_seen_on_the_way_casts_doubt_on_the_whole() -> None:
    """The request that waited may have been this one: what counts then is what came after its first tokens."""
    passing = opened(Meters(), 0.0)
    passing.progressed(2, None, 4.0)
    passage = passing.ended(102, scraped(1, 1, at=5.0), 9.0)

    assert passage == Passage(seconds=5.0, tokens=100, batch=1.0, prefill=0.0)


def test_few_tokens_tell_nothing() -> None:
    """An answer of a word is mostly network."""
    assert opened(Meters(), 0.0).ended(3, None, 1.0) is None


def test_requests_that_break_off_leave_the_batch() -> None:
    """Closing without an end releases the place, and nothing was learned."""
    meters = Meters()
    opened(meters, 0.0).closed(None, 1.0)

    assert left(opened(meters, 5.0), 100, 15.0).batch == 1.0
