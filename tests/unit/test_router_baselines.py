import pytest
from candidates import candidate, chosen
from pools import request

from chimera_router.scheduling.policies import Fastest, LeastLoaded, Policy, Random, RoundRobin, Static, Threshold
from chimera_router.scheduling.types import Verdict

SMALL = candidate("small", latency=1.0, confidence=0.5)


@pytest.mark.parametrize(("workflow", "expected"), [(0, "a"), (1, "b"), (2, "c"), (3, "a")])
def test_round_robin_turns_on_the_workflow(workflow: int, expected: str) -> None:
    """Each workflow takes the next model in the pool's order, whatever its latency."""
    models = [candidate(name, latency=1.0) for name in "abc"]

    choice = RoundRobin().choose(models, request(workflow=workflow))

    assert choice.verdicts[expected] is Verdict.CHOSEN


def test_least_loaded_takes_the_fewest_requests() -> None:
    """The model whose endpoint has the fewest requests wins, whatever its confidence."""
    models = [candidate("a", latency=1.0, confidence=0.9, running=2), candidate("b", latency=9.0, running=1)]

    assert LeastLoaded().choose(models, request()).verdicts["b"] is Verdict.CHOSEN


def test_static_takes_its_model_or_none() -> None:
    """Static sends to its own model and to no other, even while that has no endpoint."""
    there = Static("small").choose([SMALL, candidate("large", latency=1.0)], request())
    gone = Static("small").choose([candidate("large", latency=1.0)], request())

    assert (there.verdicts["small"], gone.chosen) == (Verdict.CHOSEN, None)


def test_fastest_knows_no_confidence() -> None:
    """The least estimated latency wins, however unsure."""
    models = [candidate("a", latency=2.0, confidence=0.9), candidate("b", latency=1.0, confidence=0.1)]

    assert chosen(Fastest().choose(models, request())) == "b"


@pytest.mark.parametrize(("gain", "expected"), [(0.2, "large"), (0.4, "large"), (0.5, "small")])
def test_threshold_takes_the_strong_model_where_it_gains_enough(gain: float, expected: str) -> None:
    """The strong model serves from the threshold on; a third model never does."""
    models = [SMALL, candidate("other", confidence=1.0), candidate("large", confidence=0.9)]

    assert chosen(Threshold("small", "large", gain).choose(models, request())) == expected


def test_threshold_makes_do_with_the_one_there_is() -> None:
    """While one of the two has no endpoint the other serves; without both nobody does."""
    policy = Threshold("small", "large", 0.5)

    assert chosen(policy.choose([SMALL, candidate("other")], request())) == "small"
    assert chosen(policy.choose([candidate("large"), candidate("other")], request())) == "large"
    assert policy.choose([candidate("other")], request()).chosen is None


def test_random_draws_by_weight() -> None:
    """Over many workflows each model's share is its weight's."""
    models, policy = [candidate(name) for name in "abc"], Random({"a": 1.0, "b": 3.0})

    drawn = [chosen(policy.choose(models, request(workflow=number))) for number in range(4000)]

    assert drawn.count("c") == 0
    assert drawn.count("a") / len(drawn) == pytest.approx(0.25, abs=0.02)


def test_random_draws_once_a_workflow() -> None:
    """A workflow's lot is the same whenever it is asked, and another seed draws others."""
    models, numbers = [candidate(name) for name in "ab"], range(64)
    even = {"a": 1.0, "b": 1.0}

    def lots(seed: int) -> list[str | None]:
        return [chosen(Random(even, seed).choose(models, request(workflow=number))) for number in numbers]

    assert lots(1) == lots(1)
    assert lots(1) != lots(2)


def test_random_without_a_weighted_model_takes_none() -> None:
    """A model that no weight names is never drawn, even alone."""
    assert Random({"gone": 1.0}).choose([SMALL], request()).chosen is None


@pytest.mark.parametrize(
    "policy",
    [RoundRobin(), LeastLoaded(), Fastest(), Static("a"), Random({"a": 1.0}), Threshold("a", "b", 0.1)],
    ids=lambda policy: policy.name,
)
def test_baselines_see_nothing_to_gain_by_restaging(policy: Policy) -> None:
    """A rule that weighs nothing gives a workflow no reason to leave its model."""
    assert policy.gain(candidate("a", confidence=1.0, latency=0.1), candidate("b", confidence=0.0, latency=9.0)) == 0.0
