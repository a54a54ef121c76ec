import pytest
from candidates import candidate, chosen
from pools import request

from chimera_router.scheduling.policies import (
    ConfidenceObjective,
    LatencyObjective,
    Marginal,
    Policy,
    Slack,
    Utility,
)
from chimera_router.scheduling.types import Verdict

SMALL = candidate("small", latency=1.0, confidence=0.5)


def test_slack_takes_the_most_confident_of_those_nearly_as_fast() -> None:
    """Among models within the slack of the fastest, the most confident wins."""
    choice = Slack(slack=1.0, min_gain=0.1).choose([SMALL, candidate("large", latency=1.9, confidence=0.9)], request())

    assert choice.verdicts == {"small": Verdict.LESS_CONFIDENT, "large": Verdict.CHOSEN}


def test_slack_leaves_out_what_is_slower_than_the_limit() -> None:
    """A model beyond (1 + slack) times the fastest latency is too slow, however confident."""
    choice = Slack(slack=1.0, min_gain=0.1).choose([SMALL, candidate("large", latency=2.1, confidence=0.9)], request())

    assert choice.verdicts == {"small": Verdict.CHOSEN, "large": Verdict.TOO_SLOW}


def test_slack_stays_with_the_fastest_unless_the_gain_is_worth_it() -> None:
    """A gain under minGain does not pay for a slower answer."""
    choice = Slack(slack=1.0, min_gain=0.1).choose([SMALL, candidate("large", latency=1.5, confidence=0.55)], request())

    assert choice.verdicts == {"small": Verdict.CHOSEN, "large": Verdict.NO_GAIN}


def test_slack_admits_the_limit_itself() -> None:
    """A model exactly at the limit is admitted, and a gain of exactly minGain is enough."""
    choice = Slack(slack=1.0, min_gain=0.25).choose(
        [SMALL, candidate("large", latency=2.0, confidence=0.75)], request()
    )

    assert choice.verdicts["large"] is Verdict.CHOSEN


def test_slack_breaks_a_tie_in_confidence_by_latency() -> None:
    """Of two equally confident models the faster one wins."""
    rivals = [
        candidate("slower", latency=1.9, confidence=0.9),
        SMALL,
        candidate("faster", latency=1.5, confidence=0.9),
    ]

    choice = Slack().choose(rivals, request())

    assert choice.verdicts["faster"] is Verdict.CHOSEN


def test_marginal_takes_what_its_confidence_pays_for() -> None:
    """A model that is surer by less than its seconds cost is not taken, and its verdict says so."""
    rivals = [candidate("small", latency=1.0, confidence=0.5), candidate("large", latency=3.0, confidence=0.65)]

    dear, cheap = Marginal(0.1).choose(rivals, request()), Marginal(0.05).choose(rivals, request())

    assert dear.verdicts == {"small": Verdict.CHOSEN, "large": Verdict.TOO_DEAR}
    assert cheap.verdicts == {"small": Verdict.LESS_CONFIDENT, "large": Verdict.CHOSEN}


def test_marginal_counts_what_others_lose() -> None:
    """Of two models alike the one on the quieter engine wins, whatever this request's own latency."""
    rivals = [candidate("crowded", latency=1.0, delay=5.0), candidate("quiet", latency=2.0, delay=0.5)]

    assert chosen(Marginal(0.1).choose(rivals, request())) == "quiet"


def test_marginal_without_a_price_breaks_ties_by_time() -> None:
    """Of two equally confident models the one that takes less of everybody's time wins."""
    rivals = [candidate("slow", latency=2.0), candidate("fast", latency=1.0)]

    assert chosen(Marginal(0.0).choose(rivals, request())) == "fast"


def test_utility_weighs_own_latency_and_not_the_others() -> None:
    """What others lose is nothing to utility."""
    rivals = [candidate("crowded", latency=1.0, delay=50.0), candidate("quiet", latency=2.0)]

    assert chosen(Utility(0.1).choose(rivals, request())) == "crowded"


def test_utility_charges_parameters_times_tokens() -> None:
    """Cost is relative to the largest model: a seventh of its size and half its tokens cost a fourteenth."""
    small = candidate("small", confidence=0.5, parameters_b=10, tokens=50)
    large = candidate("large", confidence=0.7, parameters_b=70, tokens=100)

    cheap, dear = Utility(0.0, 0.2), Utility(0.0, 0.2 / (1 - 1 / 14) + 0.01)

    assert chosen(cheap.choose([small, large], request())) == "large"
    assert chosen(dear.choose([small, large], request())) == "small"


def test_utility_of_models_of_unknown_size_is_free_of_cost() -> None:
    """Without any size there is nothing to charge."""
    rivals = [candidate("a", confidence=0.4), candidate("b", confidence=0.5)]

    assert chosen(Utility(0.0, 5.0).choose(rivals, request())) == "b"


def test_latency_objective_takes_the_most_confident_in_time() -> None:
    """Those who would be late are too slow, however confident."""
    rivals = [
        candidate("a", latency=1.0, confidence=0.4),
        candidate("b", latency=2.0, confidence=0.6),
        candidate("c", latency=2.1, confidence=0.9),
    ]

    choice = LatencyObjective(2.0).choose(rivals, request())

    assert choice.verdicts == {"a": Verdict.LESS_CONFIDENT, "b": Verdict.CHOSEN, "c": Verdict.TOO_SLOW}


def test_latency_objective_takes_the_fastest_where_nobody_is_in_time() -> None:
    """A target that cannot be met is missed by as little as possible."""
    rivals = [candidate("a", latency=3.0, confidence=0.9), candidate("b", latency=2.0)]

    assert chosen(LatencyObjective(1.0).choose(rivals, request())) == "b"


def test_confidence_objective_takes_the_cheapest_that_is_sure_enough() -> None:
    """Of those above the target the one with the fewest parameters times tokens serves."""
    rivals = [
        candidate("a", confidence=0.5, parameters_b=3),
        candidate("b", confidence=0.7, parameters_b=70, tokens=10),
        candidate("c", confidence=0.9, parameters_b=30, tokens=100),
    ]

    choice = ConfidenceObjective(0.6).choose(rivals, request())

    assert choice.verdicts == {"a": Verdict.LESS_CONFIDENT, "b": Verdict.CHOSEN, "c": Verdict.TOO_DEAR}


def test_confidence_objective_takes_the_most_confident_where_none_is_sure_enough() -> None:
    """A target that cannot be met is missed by as little as possible."""
    rivals = [candidate("a", confidence=0.2), candidate("b", confidence=0.3)]

    assert chosen(ConfidenceObjective(0.6).choose(rivals, request())) == "b"


SURE = candidate("sure", latency=2.0, confidence=0.9, parameters_b=70)
QUICK = candidate("quick", latency=0.5, confidence=0.5, parameters_b=7)


@pytest.mark.parametrize(
    ("policy", "gain"),
    [
        pytest.param(Slack(slack=5.0), 0.4, id="slack, the kept one fast enough"),
        pytest.param(Marginal(0.1), 0.4 - 0.15, id="marginal"),
        pytest.param(Utility(0.1, 0.0), 0.4 - 0.15, id="utility"),
        pytest.param(Utility(0.0, 0.2), 0.4 - 0.2 * 0.9, id="utility with cost"),
        pytest.param(LatencyObjective(3.0), 0.4, id="latency objective, the kept one in time"),
        pytest.param(ConfidenceObjective(0.8), 0.4, id="confidence objective, the kept one not sure enough"),
    ],
)
def test_gain_of_a_surer_model_is_confidence(policy: Policy, gain: float) -> None:
    """What a policy gains by leaving a model for a surer one is in confidence, less what it charges."""
    assert policy.gain(SURE, QUICK) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("policy", "gain"),
    [
        pytest.param(Slack(slack=1.0), 0.75, id="slack, the kept one too slow"),
        pytest.param(LatencyObjective(1.0), 0.75, id="latency objective, the kept one late"),
        pytest.param(ConfidenceObjective(0.4), 0.9, id="confidence objective, both sure enough"),
    ],
)
def test_gain_of_a_quicker_or_cheaper_model_is_a_share(policy: Policy, gain: float) -> None:
    """Where it leaves a model for being slow or dear, the gain is the share of time or cost saved."""
    assert policy.gain(QUICK, SURE) == pytest.approx(gain)
