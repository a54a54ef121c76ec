"""Fit and price together, in the real director over simulated engines in virtual time."""

from dataclasses import replace
from statistics import mean

import pytest
from directors import settings
from virtual_pool import VirtualPool, configured

from chimera_router.scheduling.policies import Marginal
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.targets import LatencyTarget, ScoreTarget, Target
from chimera_router.scheduling.types import Coefficients

# An 8B model on one H100 and a 70B model on four, as the serving pools have them.
ENGINES = {
    "small": Coefficients(
        base_step=7.65e-3, per_sequence=30.2e-6, prefill_per_token=21.6e-6, max_num_seqs=256, kv_tokens=427_480
    ),
    "large": Coefficients(
        base_step=17.8e-3, per_sequence=63e-6, prefill_per_token=47.7e-6, max_num_seqs=256, kv_tokens=448_170
    ),
}
RATE = 8.0  # requests a second; nearly all that the large model serves alone
REQUESTS = 3000


def off(by_model: dict[str, float]) -> dict[str, Coefficients]:
    return {
        name: replace(
            true,
            base_step=true.base_step * by_model[name],
            per_sequence=true.per_sequence * by_model[name],
            prefill_per_token=true.prefill_per_token * by_model[name],
        )
        for name, true in ENGINES.items()
    }


def pool(target: Target | None = None, *, wrong: dict[str, float] | None = None, price: float = 0.01) -> VirtualPool:
    told = replace(settings(), scheduler=Scheduler(policy=Marginal(price)), target=target)
    coefficients = off(wrong) if wrong else ENGINES
    return VirtualPool(settings=configured(told, coefficients), engines=ENGINES, rate=RATE)


@pytest.mark.parametrize("wrong", [{"small": 2.0, "large": 0.5}, {"small": 0.5, "large": 2.0}])
def test_wrong_profiles_come_right(wrong: dict[str, float]) -> None:
    """The director's own snapshot has step times within 7 %, though the profiles were off in opposite ways."""
    models = pool(wrong=wrong).run(600).snapshot().models

    for name, true in ENGINES.items():
        for batch in (1, 10, 40):
            assert models[name].coefficients.step(batch) == pytest.approx(true.step(batch), rel=0.07)


@pytest.mark.parametrize("start", [0.03, 0.5])
def test_latency_is_held(start: float) -> None:
    """In the last third the mean latency is within 10 % of its target, and the price has stopped wandering."""
    made = pool(LatencyTarget(3.0), price=start)
    made.run(REQUESTS)
    late = made.answers[-REQUESTS // 3 :]
    prices = made.prices[-REQUESTS // 3 :]

    assert mean(seconds for seconds, _ in late) == pytest.approx(3.0, rel=0.1)
    assert max(prices) / min(prices) < 2.5


def test_score_is_held_with_wrong_profiles() -> None:
    """Fit and steering do not disturb each other: the mean confidence is held within 2 points."""
    made = pool(ScoreTarget(0.6), wrong={"small": 2.0, "large": 0.5})
    made.run(REQUESTS)

    assert mean(confidence for _, confidence in made.answers[-REQUESTS // 3 :]) == pytest.approx(0.6, abs=0.02)
