"""The price follows its target: which way, how far, and when it stays."""

import math
from dataclasses import replace

import pytest
from pools import prediction
from steered import Curve, Run

from chimera_router.scheduling.policies import DEFAULT_PRICE, Marginal, Slack
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.steering import ENOUGH, HIGHEST, LOWEST, PriceSteer, Steering
from chimera_router.scheduling.targets import WINDOW, LatencyTarget, ScoreTarget
from chimera_router.scheduling.types import Decision, Endpoint, ModelVerdict, PredictionSource, Reason, Verdict

FIVE_SECONDS = LatencyTarget(5.0)


def decision(*, dear: bool = True, faster: bool = True, reason: Reason = Reason.POLICY) -> Decision:
    """Return a decision for `chosen`, beside which a dearer or a faster model was, or was not."""
    verdicts = {
        "chosen": (2.0, Verdict.CHOSEN),
        "dear": (4.0, Verdict.TOO_DEAR if dear else Verdict.LESS_CONFIDENT),
        "fast": (1.0 if faster else 3.0, Verdict.LESS_CONFIDENT),
    }
    return Decision(
        model="chosen",
        endpoint=Endpoint(name="chosen-0", address="10.0.0.1:1", model="chosen"),
        priority=None,
        policy="marginal",
        reason=reason,
        prediction=prediction(0.5),
        latency=2.0,
        source=PredictionSource.BUNDLE,
        verdicts=tuple(
            ModelVerdict(model=name, confidence=0.5, latency=latency, delay=0.5, remaining_tokens=1.0, verdict=verdict)
            for name, (latency, verdict) in verdicts.items()
        ),
    )


def told(
    steer: PriceSteer, seconds: float, *, times: int = 200, start: float = 0.0, by: Decision | None = None
) -> None:
    for ordinal in range(times):
        steer.observe(latency=seconds, now=start + ordinal, decision=by)


@pytest.mark.parametrize(("seconds", "way"), [(10.0, 1), (2.0, -1)])
def test_price_rises_while_answers_are_slow_and_falls_while_they_are_fast(seconds: float, way: int) -> None:
    """Time gets dearer where there is too little of it."""
    steer = PriceSteer(FIVE_SECONDS)
    told(steer, seconds)

    assert math.copysign(1, steer.price - DEFAULT_PRICE) == way


@pytest.mark.parametrize(("confidence", "way"), [(0.9, 1), (0.5, -1)])
def test_price_rises_while_there_is_confidence_to_spare(confidence: float, way: int) -> None:
    """A score above the target buys speed; one below it takes time."""
    steer = PriceSteer(ScoreTarget(0.7))
    for second in range(200):
        steer.observe(confidence=confidence, now=float(second))

    assert math.copysign(1, steer.price - DEFAULT_PRICE) == way


def test_price_stays_without_evidence() -> None:
    """A few slow answers are no trend."""
    steer = PriceSteer(FIVE_SECONDS)
    told(steer, 50.0, times=int(ENOUGH))

    assert steer.price == pytest.approx(DEFAULT_PRICE)


def test_what_the_target_does_not_read_changes_nothing() -> None:
    """Confidence says nothing about seconds, nor seconds about confidence."""
    by_latency, by_score = PriceSteer(FIVE_SECONDS), PriceSteer(ScoreTarget(0.7))
    for second in range(200):
        by_latency.observe(confidence=0.1, now=float(second))
        by_score.observe(latency=100.0, now=float(second))

    assert (by_latency.price, by_score.price) == (pytest.approx(DEFAULT_PRICE), pytest.approx(DEFAULT_PRICE))
    assert math.isnan(by_latency.mean)


def test_free_time_can_be_steered_from() -> None:
    """A configured price of zero begins at the least there is."""
    assert PriceSteer(FIVE_SECONDS, start=0.0).price == pytest.approx(LOWEST)


@pytest.mark.parametrize(("seconds", "bound"), [(1e6, HIGHEST), (0.0, LOWEST)])
def test_price_is_bounded(seconds: float, bound: float) -> None:
    """However far off the mean is, and for however long."""
    steer = PriceSteer(FIVE_SECONDS)
    told(steer, seconds, times=5000)

    assert steer.price == pytest.approx(bound)


def test_one_answer_moves_the_price_little() -> None:
    """After a silence of a day, an observation counts as one of eight in a window."""
    steer = PriceSteer(FIVE_SECONDS)
    told(steer, 5.0)
    before = steer.price
    told(steer, 500.0, times=2, start=86_400.0)

    assert 1.0 <= steer.price / before < 1.1


@pytest.mark.parametrize(
    ("seconds", "useless"),
    [(0.5, decision(dear=False)), (50.0, decision(faster=False))],
    ids=["none was too dear", "none was faster"],
)
def test_price_stays_where_another_would_change_nothing(seconds: float, useless: Decision) -> None:
    """Where every request gets the best model anyway, or the fastest, the price does not run away."""
    useful, idle = PriceSteer(FIVE_SECONDS), PriceSteer(FIVE_SECONDS)
    told(useful, seconds, by=decision())
    told(idle, seconds, by=useless)

    assert abs(math.log(useful.price / DEFAULT_PRICE)) > 1.0
    assert abs(math.log(idle.price / DEFAULT_PRICE)) < 0.5


def test_later_stages_do_not_tell_what_a_price_would_change() -> None:
    """They keep their workflow's model whatever it costs."""
    steer, other = PriceSteer(FIVE_SECONDS), PriceSteer(FIVE_SECONDS)
    told(steer, 10.0, by=decision(faster=False, reason=Reason.WORKFLOW))
    told(other, 10.0)

    assert steer.price == other.price


def test_window_spans_several_answers() -> None:
    """A target of a minute is steered in minutes, one of a second in half a minute."""
    assert LatencyTarget(1.0).window == WINDOW
    assert LatencyTarget(60.0).window == 480.0


def test_latency_is_held_over_a_curve() -> None:
    """From a price ten times too low: there within ten windows, with no swing worth the name."""
    curve = Curve(least=2.0, most=10.0)
    steer = PriceSteer(FIVE_SECONDS, start=curve.price(5.0) / 10.0)
    logs = Run(steer=steer, curve=curve).latencies(3000, right=curve.price(5.0))
    ten_windows = int(10 * FIVE_SECONDS.window * 2.0)

    assert max(abs(log) for log in logs[ten_windows:]) < 0.35
    assert max(logs) < 0.35
    assert steer.mean == pytest.approx(5.0, rel=0.2)


def test_score_is_held_over_a_curve() -> None:
    """From a price ten times too high."""
    curve = Curve(least=0.4, most=0.8)
    steer = PriceSteer(ScoreTarget(0.65), start=curve.price(0.65) * 10.0)
    logs = Run(steer=steer, curve=curve).confidences(2000, right=curve.price(0.65))

    assert max(abs(log) for log in logs[1000:]) < 0.4
    assert steer.mean == pytest.approx(0.65, abs=0.03)


def test_load_that_comes_and_goes_is_followed() -> None:
    """The curve shifts under the price, which finds its new place both times."""
    night, day = Curve(least=2.0, most=10.0), Curve(least=3.0, most=30.0)
    steer = PriceSteer(FIVE_SECONDS)
    run = Run(steer=steer, curve=night)
    for curve in (night, day, night):
        run.curve = curve
        logs = run.latencies(3000, right=curve.price(5.0))
        assert max(abs(log) for log in logs[-500:]) < 0.35


def test_scheduler_gets_the_price_of_the_moment() -> None:
    """Its marginal policy is replaced; everything else stays as configured."""
    steering, scheduler = Steering(), Scheduler(policy=Marginal(0.02), restage=0.1)
    first = steering.steered(scheduler, FIVE_SECONDS, 0.0)
    for second in range(200):
        steering.observe(latency=50.0, now=float(second), decision=decision())
    later = steering.steered(scheduler, FIVE_SECONDS, 200.0)

    assert isinstance(first.policy, Marginal)
    assert isinstance(later.policy, Marginal)
    assert first.policy.price == pytest.approx(0.02)
    assert later.policy.price > 0.05
    assert replace(later, policy=scheduler.policy) == scheduler


def test_other_target_starts_anew() -> None:
    """What held one target says nothing of another."""
    steering, scheduler = Steering(), Scheduler(policy=Marginal())
    steering.steered(scheduler, FIVE_SECONDS, 0.0)
    kept = steering.steer
    steering.steered(scheduler, LatencyTarget(5.0), 1.0)

    assert steering.steer is kept
    steering.steered(scheduler, LatencyTarget(6.0), 1.0)
    assert steering.steer is not kept


@pytest.mark.parametrize(("policy", "target"), [(Marginal(), None), (Slack(), FIVE_SECONDS)])
def test_nothing_is_steered_without_a_target_or_a_price(policy: Marginal | Slack, target: LatencyTarget | None) -> None:
    """The configured scheduler itself comes back, and observations fall on nothing."""
    steering, scheduler = Steering(), Scheduler(policy=policy)

    assert steering.steered(scheduler, target, 0.0) is scheduler
    steering.observe(latency=1.0, now=0.0, decision=decision())
    assert steering.steer is None


@pytest.mark.parametrize("reason", [Reason.PINNED, Reason.ONLY])
def test_requests_without_a_choice_are_left_out(reason: Reason) -> None:
    """What a client pinned, or what only one model could take, no price has made slow."""
    steering = Steering()
    steering.steered(Scheduler(policy=Marginal()), FIVE_SECONDS, 0.0)
    for second in range(200):
        steering.observe(latency=50.0, now=float(second), decision=decision(reason=reason))

    assert steering.steer is not None
    assert steering.steer.price == pytest.approx(DEFAULT_PRICE)
