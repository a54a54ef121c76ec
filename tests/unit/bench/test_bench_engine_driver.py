"""Virtual time against cases computed by hand and against the closed forms of queueing theory."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from bench_engines import coefficients, request

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request, SchedulingPolicy
from chimera_router.scheduling.types import Coefficients

JOBS = 8000
MEAN_TOKENS = 20
UTILISATION = 0.7


def ignore(_name: str, _event: Event) -> None:
    """Take no notice."""


def test_timers_run_in_order_of_their_moments() -> None:
    """Whatever the order in which they were set; those of one moment in that order."""
    clock, seen = VirtualTime({}, ignore), list[tuple[str, float]]()
    for name, moment in (("late", 5.0), ("soon", 1.0), ("also-late", 5.0)):
        clock.call_at(moment, lambda name=name: seen.append((name, clock.now)))

    assert clock.run() == 5.0
    assert seen == [("soon", 1.0), ("late", 5.0), ("also-late", 5.0)]


def test_a_timer_for_the_past_runs_now() -> None:
    """The clock never goes back."""
    clock, seen = VirtualTime({}, ignore), list[float]()
    clock.call_at(5.0, lambda: clock.call_at(1.0, lambda: seen.append(clock.now)))
    clock.run()

    assert seen == [5.0]


def test_engines_share_one_clock() -> None:
    """Each goes its own pace, and events come in the order of their moments."""
    seen: list[tuple[str, EventKind, float]] = []
    engines = {
        "quick": Engine(coefficients(base=1.0, each=0.0, prefill=0.0)),
        "slow": Engine(coefficients(base=3.0, each=0.0, prefill=0.0)),
    }
    clock = VirtualTime(engines, lambda name, event: seen.append((name, event.kind, clock.now)))
    clock.call_at(0.0, lambda: clock.submit("slow", request("a", output=1)))
    clock.call_at(0.5, lambda: clock.submit("quick", request("b", output=2)))
    clock.run()

    assert seen == [
        ("slow", EventKind.ADMITTED, 0.0),
        ("quick", EventKind.ADMITTED, 0.5),
        ("quick", EventKind.FIRST_TOKEN, 1.5),
        ("quick", EventKind.FINISHED, 2.5),
        ("slow", EventKind.FIRST_TOKEN, 3.0),
        ("slow", EventKind.FINISHED, 3.0),
    ]


def test_events_are_told_at_their_own_moment() -> None:
    """The clock shows the moment of the event while it is told, so that what it causes follows at once."""
    differences: list[float] = []
    clock = VirtualTime({"e": Engine(coefficients())}, lambda _, event: differences.append(clock.now - event.at))
    for index in range(5):
        clock.call_at(index * 1.75, lambda index=index: clock.submit("e", request(str(index), output=3)))
    clock.run()

    assert differences == [0.0] * 15


def test_an_event_may_submit_what_follows() -> None:
    """The next stage of a workflow begins where the one before ends, and there meets its cached prefix."""
    ends: list[float] = []

    def follow(_name: str, event: Event) -> None:
        if event.kind is EventKind.FINISHED:
            ends.append(clock.now)
            if len(ends) < 3:
                clock.submit("e", request(f"stage-{len(ends)}", prompt=4 + 6 * len(ends), output=2, conversation="w"))

    clock = VirtualTime({"e": Engine(coefficients())}, follow)
    clock.call_at(0.0, lambda: clock.submit("e", request("stage-0", prompt=4, output=2, conversation="w")))
    clock.run()

    assert ends == [4.0, 8.0, 12.0]


def test_a_step_comes_before_a_timer_of_the_same_moment() -> None:
    """So a timer sees what the engine made, and what it submits waits for the next step to end."""
    seen: list[int] = []
    engine = Engine(coefficients(base=1.0, each=0.0, prefill=0.0))
    clock = VirtualTime({"e": engine}, ignore)
    clock.call_at(0.0, lambda: clock.submit("e", request("a", output=1)))
    clock.call_at(1.0, lambda: seen.append(len(engine.running)))
    clock.run()

    assert seen == [0]


def test_an_unknown_engine_is_an_error() -> None:
    """A request needs an engine to go to."""
    clock = VirtualTime({}, ignore)
    with pytest.raises(KeyError):
        clock.submit("nowhere", request("a"))


def mean_response(
    engine: Coefficients, scheduling: SchedulingPolicy, priority: Callable[[int], int] = lambda _tokens: 0
) -> float:
    """Return the mean time in the system, in mean service times, of Poisson arrivals with geometric lengths."""
    draw = random.Random(7)  # noqa: S311 - a simulation
    responses: list[float] = []

    def on_event(_name: str, event: Event) -> None:
        if event.kind is EventKind.FINISHED:
            responses.append(event.at - event.submitted_at)

    clock, moment = VirtualTime({"e": Engine(engine, scheduling=scheduling)}, on_event), 0.0
    for index in range(JOBS):
        moment += draw.expovariate(UTILISATION)
        tokens = 1 + int(draw.expovariate(1 / MEAN_TOKENS))
        job = Request(id=str(index), prompt_tokens=1, output_tokens=tokens, priority=priority(tokens))
        clock.call_at(moment, lambda job=job: clock.submit("e", job))
    clock.run()
    return sum(responses) / JOBS


ONE_AT_A_TIME = Coefficients(
    base_step=1 / (MEAN_TOKENS + 0.5), per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=1, kv_tokens=10**9
)
SHARED = Coefficients(
    base_step=0.0, per_sequence=1 / (MEAN_TOKENS + 0.5), prefill_per_token=0.0, max_num_seqs=10**6, kv_tokens=10**9
)


def test_one_slot_is_an_m_m_1_queue() -> None:
    """With exponential lengths the mean response is 1 / (1 - utilisation) services (M/M/1, first come first served)."""
    assert mean_response(ONE_AT_A_TIME, SchedulingPolicy.FCFS) == pytest.approx(1 / (1 - UTILISATION), rel=0.12)


def test_many_slots_share_the_processor() -> None:
    """Where a step takes as long as its batch is large, the batch is an M/G/1 queue with processor sharing."""
    assert mean_response(SHARED, SchedulingPolicy.FCFS) == pytest.approx(1 / (1 - UTILISATION), rel=0.12)


def test_the_shortest_first_wait_less() -> None:
    """Ordering the queue by true length beats the order of arrival, as for every work-conserving queue."""
    shortest = mean_response(ONE_AT_A_TIME, SchedulingPolicy.PRIORITY, priority=lambda tokens: tokens)

    assert shortest < 0.8 * mean_response(ONE_AT_A_TIME, SchedulingPolicy.FCFS)


def test_more_slots_make_an_engine_no_slower() -> None:
    """Where a sequence adds little to a step, a larger batch serves the same load sooner."""
    responses = [
        mean_response(
            Coefficients(
                base_step=1 / (MEAN_TOKENS + 0.5),
                per_sequence=0.001,
                prefill_per_token=0.0,
                max_num_seqs=slots,
                kv_tokens=10**9,
            ),
            SchedulingPolicy.FCFS,
        )
        for slots in (1, 2, 8)
    ]

    assert all(more < fewer for fewer, more in pairwise(responses))


def test_an_engine_put_off_keeps_its_new_moment() -> None:
    """A request that joins makes the steps of those before it longer; the end that was planned first means nothing."""
    ends: list[tuple[str, float]] = []

    def on_event(_name: str, event: Event) -> None:
        if event.kind is EventKind.FINISHED:
            ends.append((event.request.id, clock.now))

    clock = VirtualTime({"e": Engine(coefficients(prefill=0.0))}, on_event)
    clock.call_at(0.0, lambda: clock.submit("e", request("a", output=4)))
    clock.call_at(2.0, lambda: clock.submit("e", request("b", output=1)))

    assert clock.run() == 6.5
    assert ends == [("b", 5.0), ("a", 6.5)]
