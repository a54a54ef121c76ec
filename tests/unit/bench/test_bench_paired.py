"""What is said of policies over seeds."""

import math

import numpy as np
import pytest
from bench_records import a_record

from chimera_bench.paired import Setting, advantage, contests, mean_frontier, points, speedup, student

SEEDS = range(10)


def setting(policy: str, latency: float, score: float, *, noise: float = 0.0, **params: float) -> Setting:
    """Return a setting at ten seeds; noise is common to all policies, as that of equal arrivals is."""
    factors = np.exp(noise * np.random.default_rng(7).standard_normal(len(SEEDS))).tolist()
    records = tuple(
        a_record(policy, latency=latency * factors[seed], score=score, seed=seed, params=params) for seed in SEEDS
    )
    return Setting(policy=policy, params=params, records=records)


OURS = [setting("marginal", latency, score, price=p) for p, latency, score in ((1, 5, 0.4), (2, 10, 0.6))]
THEIRS = [setting("slack", 2 * latency, score, slack=p) for p, latency, score in ((1, 5, 0.4), (2, 10, 0.6))]


def test_records_are_grouped_by_pool_and_load_then_by_setting() -> None:
    """In the order of their first record; seeds in order."""
    records = [
        a_record("chimera", seed=1),
        a_record("chimera", seed=0),
        a_record("slack", seed=0, params={"slack": 1.0}),
        a_record("slack", seed=0, params={"slack": 2.0}),
        a_record("chimera", load=1.5),
        a_record("chimera", pool="three"),
    ]

    found = contests(records)

    assert [(contest.pool, contest.load) for contest in found] == [("two", 0.85), ("two", 1.5), ("three", 0.85)]
    assert [(each.policy, dict(each.params)) for each in found[0].settings] == [
        ("chimera", {}),
        ("slack", {"slack": 1.0}),
        ("slack", {"slack": 2.0}),
    ]
    assert [record.seed for record in found[0].settings[0].records] == [0, 1]
    assert len(found[0].of("slack")) == 2
    assert not found[1].of("slack")


def test_an_interval_over_seeds_is_students() -> None:
    """Mean ± t · s / √n: of 1, 2, 3 it is 2 ± 4.303 / √3."""
    found = student([1.0, 2.0, 3.0])

    assert found.mean == 2.0
    assert found.high - found.mean == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_one_seed_gives_no_interval() -> None:
    """Nobody knows how the next would have come out."""
    assert student([1.0]).low == -math.inf


def test_pairing_takes_the_noise_of_the_arrivals_away() -> None:
    """Where every workload slows both policies alike, the ratio is exact."""
    found = speedup(setting("chimera", 5, 0.6, noise=0.5), setting("round-robin", 10, 0.4, noise=0.5))

    assert (found.mean, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_points_are_differences_of_scores() -> None:
    """Ours minus theirs."""
    found = points(setting("chimera", 5, 0.6), setting("round-robin", 10, 0.4))

    assert (found.mean, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))


def test_a_frontier_is_of_means_over_seeds() -> None:
    """Not of the luckiest seed of each setting."""
    front = mean_frontier([*OURS, setting("marginal", 20, 0.5, price=3)])

    assert [(point.latency, point.score) for point in front] == [(5.0, 0.4), (10.0, pytest.approx(0.6))]


def test_half_the_latency_at_every_score_is_an_advantage_of_half() -> None:
    """The same at each score, so least, most and mean agree."""
    found = advantage(OURS, THEIRS)

    assert found.latency is not None
    assert (found.latency.mean, found.latency.low, found.latency.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.least, found.most) == pytest.approx((0.5, 0.5))
    assert found.scores == pytest.approx((0.4, 0.6))


def test_scores_are_compared_at_equal_latency() -> None:
    """From 10 s on ours gives .6; theirs .4 at 10 s, .6 at 20 s: .1 on average."""
    found = advantage(OURS, THEIRS)

    assert found.score is not None
    assert found.score.mean == pytest.approx(0.1)


def test_a_policy_against_itself_has_no_advantage() -> None:
    """Draws of seeds are the same for both."""
    noisy = [setting("slack", latency, score, noise=0.3) for latency, score in ((5, 0.4), (10, 0.6))]
    found = advantage(noisy, noisy)

    assert found.latency is not None
    assert found.score is not None
    assert (found.latency.low, found.latency.high, found.score.mean) == pytest.approx((1.0, 1.0, 0.0))


def test_a_score_that_is_never_reached_is_not_compared() -> None:
    """Saying nothing, rather than extending the line."""
    found = advantage(OURS, [setting("always-large", 3.0, 0.9)])

    assert found.latency is None
    assert math.isnan(found.scores[0])
    assert found.score is None


def test_the_single_point_of_a_baseline_is_compared_where_it_lies() -> None:
    """At its score, and at its latency."""
    found = advantage(OURS, [setting("round-robin", 10.0, 0.5)])

    assert found.latency is not None
    assert found.score is not None
    assert (found.latency.mean, found.score.mean) == pytest.approx((0.75, 0.1))


def test_advantages_over_one_seed_have_no_interval() -> None:
    """As for single settings."""
    one = [Setting(policy="slack", params={}, records=(a_record("slack"),))]
    found = advantage(one, one)

    assert found.latency is not None
    assert (found.latency.mean, found.latency.low, found.latency.high) == (1.0, 0.0, math.inf)
