"""What a picker knows of simulated engines: a quarter second a token."""

import pytest
from bench_engines import request
from bench_serving import ENGINE, serving_pool

from chimera_bench.engine.types import DoesNotFit, SchedulingPolicy
from chimera_bench.replay.simulated_pool import STREAM_INTERVAL, SimulatedPool
from chimera_router.scheduling.latency import occupancy
from chimera_router.scheduling.policies import RoundRobin
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Decision,
    EndpointState,
    ModelPrediction,
    Predictions,
    PredictionSource,
    SchedulingRequest,
)


def decision(pool: SimulatedPool, tokens: float = 40.0) -> Decision:
    """Return where the only model's next request goes, of which so many tokens are foreseen."""
    foreseen = ModelPrediction(confidence=0.5, stage_tokens=tokens, remaining_tokens=tokens)
    outcome = Scheduler(policy=RoundRobin()).schedule(
        SchedulingRequest(workflow=0, prompt_tokens=100, arrival=0.0),
        Predictions(by_model={"m": foreseen}, source=PredictionSource.BUNDLE),
        pool.snapshot(),
        pool.time.now,
    )
    assert isinstance(outcome, Decision)
    return outcome


@pytest.fixture
def pool() -> SimulatedPool:
    simulated = SimulatedPool(serving_pool("m", engine=ENGINE), SchedulingPolicy.PRIORITY)
    simulated.scrape()
    return simulated


def state(pool: SimulatedPool) -> EndpointState:
    (only,) = pool.snapshot().endpoints
    return only


def send(pool: SimulatedPool, name: str, *, output: int = 40, ends: list[str] | None = None) -> None:
    told = [] if ends is None else ends
    asked = request(name, prompt=100, output=output)
    pool.send(decision(pool), asked, prompt_tokens=100, on_end=lambda: told.append(name))


def test_what_is_sent_is_in_flight_until_it_ends(pool: SimulatedPool) -> None:
    """And whoever sent it is told."""
    ends: list[str] = []
    send(pool, "a", ends=ends)

    assert state(pool).load.requests == 1
    assert pool.time.run() == 10.0
    assert (ends, state(pool).load.requests) == (["a"], 0)


def test_streams_bring_tokens_back(pool: SimulatedPool) -> None:
    """The tokens expected decay, and the context grows, as they would in the live picker."""
    seen: list[tuple[float, int]] = []
    send(pool, "a")
    for moment in (0.0, 2.6):
        pool.time.call_at(moment, lambda: seen.append((state(pool).load.tokens, state(pool).load.context)))
    pool.time.run()

    assert seen == [(40.0, 100), (30.0, 110)]


def test_streams_are_looked_at_now_and_then(pool: SimulatedPool) -> None:
    """Two looks so close together see the same."""
    seen: list[float] = []
    send(pool, "a")
    for moment in (2.49, 2.51, 2.5 + STREAM_INTERVAL):
        pool.time.call_at(moment, lambda: seen.append(state(pool).load.tokens))
    pool.time.run()

    assert seen == [31.0, 31.0, 30.0]


def test_an_engine_is_known_as_it_was_scraped(pool: SimulatedPool) -> None:
    """Until the next scrape, whatever has happened since."""
    pool.keep_scraping(lambda: pool.time.now < 1.0, first=0.25)
    seen: list[tuple[float, int]] = []

    def look() -> None:
        metrics = state(pool).metrics
        assert metrics is not None
        seen.append((metrics.scraped_at, metrics.running))

    pool.time.call_at(0.1, lambda: send(pool, "a"))
    for moment in (0.2, 0.3, 0.8):
        pool.time.call_at(moment, look)
    pool.time.run()

    assert seen == [(0.0, 0), (0.25, 1), (0.75, 1)]


def test_it_tells_when_there_may_be_room(pool: SimulatedPool) -> None:
    """After a scrape, and once a request has left its engine, before its client is told."""
    told: list[object] = []
    pool.on_room(lambda: told.append((pool.time.now, state(pool).load.requests)))
    send(pool, "a", ends=told)  # type: ignore[arg-type]
    pool.time.call_at(1.0, pool.scrape)
    pool.time.run()

    assert told == [(1.0, 1), (10.0, 0), "a"]


def test_own_requests_are_not_counted_twice(pool: SimulatedPool) -> None:
    """What the engine's metrics show of them is no other client's load."""
    for name in "abc":
        send(pool, name)
    seen: list[int] = []
    pool.time.call_at(1.0, pool.scrape)
    pool.time.call_at(1.1, lambda: seen.append(occupancy(state(pool))))
    pool.time.run()

    assert seen == [3]


def test_what_an_engine_could_never_hold_is_refused(pool: SimulatedPool) -> None:
    """And is in flight nowhere."""
    with pytest.raises(DoesNotFit):
        send(pool, "a", output=200_000)

    assert state(pool).load.requests == 0


def test_only_engines_that_read_priorities_are_sent_them() -> None:
    """Others are told nothing."""
    pools = [SimulatedPool(serving_pool("m"), scheduling) for scheduling in SchedulingPolicy]
    for each in pools:
        each.scrape()

    assert [decision(each).priority is None for each in pools] == [True, False]


def test_parameters_are_known() -> None:
    """Policies that weigh costs ask for them."""
    pool = SimulatedPool(serving_pool("S", "L"), SchedulingPolicy.FCFS)

    assert [model.descriptor.parameters_b for model in pool.snapshot().models.values()] == [1.0, 10.0]
