"""What holds of every policy, whatever the candidates."""

import random
from dataclasses import replace

from candidates import candidate
from hypothesis import assume, given
from hypothesis import strategies as st
from pools import request

from chimera_router.scheduling.policies import (
    Candidate,
    ConfidenceObjective,
    Fastest,
    LatencyObjective,
    LeastLoaded,
    Marginal,
    Policy,
    Random,
    RoundRobin,
    Slack,
    Threshold,
    Utility,
)

seconds = st.floats(0.01, 100)
prices = st.floats(0, 1)
shares = st.floats(0, 1)


@st.composite
def pools(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(1, 6))
    return [
        candidate(
            f"m{number}",
            latency=draw(seconds),
            delay=draw(st.floats(0, 100)),
            confidence=draw(shares),
            running=draw(st.integers(0, 50)),
            parameters_b=draw(st.floats(0.1, 100)),
            tokens=draw(st.floats(1, 5000)),
        )
        for number in range(count)
    ]


weighing = st.one_of(
    st.builds(Slack, st.floats(0, 5), shares),
    st.builds(Marginal, prices),
    st.builds(Utility, prices),
    st.builds(LatencyObjective, seconds),
)
orderless = st.one_of(
    weighing,
    st.builds(Utility, prices, prices),
    st.builds(ConfidenceObjective, shares),
    st.just(LeastLoaded()),
    st.just(Fastest()),
    st.builds(Threshold, st.just("m0"), st.just("m1"), shares),
)


def taken(policy: Policy, candidates: list[Candidate], workflow: int = 0) -> Candidate:
    chosen = policy.choose(candidates, request(workflow=workflow)).chosen
    assume(chosen is not None)
    assert chosen is not None
    return chosen


@given(pools())
def test_without_a_price_the_most_confident_is_taken(candidates: list[Candidate]) -> None:
    """Marginal with price 0 asks for confidence alone."""
    best = max(each.confidence for each in candidates)

    assert taken(Marginal(0.0), candidates).confidence == best


@given(pools(), weighing)
def test_a_faster_and_more_confident_model_is_never_passed_over(candidates: list[Candidate], policy: Policy) -> None:
    """No other candidate is surer, quicker and less in the way than the one that is taken."""
    chosen = taken(policy, candidates)

    better = [
        each
        for each in candidates
        if each.confidence > chosen.confidence and each.latency < chosen.latency and each.delay <= chosen.delay
    ]
    if isinstance(policy, Slack):  # it asks for a minimum of gain
        better = [each for each in better if each.confidence - chosen.confidence >= policy.min_gain]
    assert not better


@given(pools(), prices, prices)
def test_a_higher_price_never_takes_more_time(candidates: list[Candidate], one: float, other: float) -> None:
    """The dearer a second is, the fewer of its own and others' seconds a request takes."""
    low, high = sorted((one, other))
    slow, quick = taken(Marginal(low), candidates), taken(Marginal(high), candidates)

    assert quick.latency + quick.delay <= slow.latency + slow.delay + 1e-9


@given(pools(), st.floats(0, 5), st.floats(0, 5))
def test_more_slack_is_never_less_confident(candidates: list[Candidate], one: float, other: float) -> None:
    """What more slack admits can only be surer."""
    low, high = sorted((one, other))

    assert taken(Slack(high, 0.0), candidates).confidence >= taken(Slack(low, 0.0), candidates).confidence


@given(pools(), seconds, seconds)
def test_a_later_deadline_is_never_less_confident(candidates: list[Candidate], one: float, other: float) -> None:
    """Who meets the earlier deadline meets the later one."""
    early, late = sorted((one, other))
    assume(min(each.latency for each in candidates) <= early)

    hurried, patient = taken(LatencyObjective(early), candidates), taken(LatencyObjective(late), candidates)

    assert patient.confidence >= hurried.confidence


@given(pools(), orderless, st.randoms(use_true_random=False))
def test_the_order_of_the_pool_does_not_matter(
    candidates: list[Candidate], policy: Policy, draw: random.Random
) -> None:
    """A policy that weighs takes the same from any permutation, up to equals."""
    shuffled = draw.sample(candidates, len(candidates))
    first, second = taken(policy, candidates), taken(policy, shuffled)

    same = (each(first) == each(second) for each in (confidence, latency, running))
    assert first is second or any(same)


@given(pools(), st.integers(0, 10_000))
def test_round_robin_gives_every_model_its_turn(candidates: list[Candidate], start: int) -> None:
    """Any run of as many workflows as there are models visits each model once."""
    visited = [taken(RoundRobin(), candidates, start + turn).model.name for turn in range(len(candidates))]

    assert sorted(visited) == [each.model.name for each in candidates]


@given(pools(), st.integers(0, 10**9), st.integers(0, 10**6), st.floats(0.001, 1000))
def test_only_ratios_of_weights_count(candidates: list[Candidate], workflow: int, seed: int, unit: float) -> None:
    """Weights in another unit draw the same lots, but for rounding where two of them meet."""
    weights = {each.model.name: 1.0 + number for number, each in enumerate(candidates)}
    power = 2.0 ** round(unit)  # exact in floating point
    assume(power < 2.0**900)

    plain = taken(Random(weights, seed), candidates, workflow)
    scaled = taken(Random({name: weight * power for name, weight in weights.items()}, seed), candidates, workflow)

    assert plain is scaled


@given(pools(), orderless)
def test_what_is_chosen_gains_nothing_on_itself(candidates: list[Candidate], policy: Policy) -> None:
    """A workflow never leaves a model for the same one."""
    chosen = taken(policy, candidates)

    assert policy.gain(chosen, replace(chosen)) <= 1e-12


@given(pools(), st.one_of(st.builds(Marginal, prices), st.builds(Utility, prices)))
def test_what_is_chosen_gains_on_every_other(candidates: list[Candidate], policy: Policy) -> None:
    """In the policy's own terms nobody beats the one that it takes."""
    chosen = taken(policy, candidates)

    assert all(policy.gain(chosen, each) >= -1e-12 for each in candidates)


def confidence(each: Candidate) -> float:
    return each.confidence


def latency(each: Candidate) -> float:
    return each.latency


def running(each: Candidate) -> int:
    return each.state.load.requests
