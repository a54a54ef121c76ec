import pytest
from pools import busy, endpoint, model, prediction, request, state

from chimera_router.scheduling.policies import Candidate, LeastLoaded, RoundRobin, Slack, Static
from chimera_router.scheduling.types import Verdict


def candidate(name: str, *, latency: float, confidence: float = 0.5, running: int = 0, delay: float = 0.0) -> Candidate:
    place = state(endpoint(f"{name}-0", name), load=busy(running))
    return Candidate(model=model(name), state=place, latency=latency, delay=delay, prediction=prediction(confidence))


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
