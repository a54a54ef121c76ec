"""The fit against the engine simulator in virtual time, from wrong starts: what must be right is the step time."""

from dataclasses import replace

import pytest
from fit_traffic import Traffic

from chimera_router.scheduling.fitting import StepTimeFit
from chimera_router.scheduling.types import Coefficients

# An 8B model on one H100, as the serving pools have it.
TRUE = Coefficients(
    base_step=7.65e-3, per_sequence=30.2e-6, prefill_per_token=21.6e-6, max_num_seqs=256, kv_tokens=427_480
)
NARROW = replace(TRUE, max_num_seqs=16)  # at 6 requests a second some wait, at 12 nearly all do
SHORT = replace(TRUE, kv_tokens=12_000)  # its KV cache fills before its slots
WRONG = (0.5, 2.0)


def off(base: float, each: float | None = None, prefill: float | None = None) -> Coefficients:
    return replace(
        TRUE,
        base_step=TRUE.base_step * base,
        per_sequence=TRUE.per_sequence * (base if each is None else each),
        prefill_per_token=TRUE.prefill_per_token * (base if prefill is None else prefill),
    )


def worst(fit: StepTimeFit, traffic: Traffic) -> float:
    """Return the largest relative error of the step time over the batches seen."""
    steps = ((fit.coefficients.step(b), traffic.true.step(b)) for b in traffic.batches())
    return max(abs(fitted / true - 1.0) for fitted, true in steps)


@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize("rate", [2.0, 10.0, 25.0])
@pytest.mark.parametrize("requests", [32, 600])
def test_step_time_converges_from_twice_and_from_half(factor: float, rate: float, requests: int) -> None:
    """After 32 requests the step time is within 7 % over the batches seen, and stays there."""
    fit, traffic = StepTimeFit(off(factor)), Traffic(true=TRUE, rate=rate)
    traffic.run(fit, requests=requests)

    assert worst(fit, traffic) < 0.07


@pytest.mark.parametrize(
    ("base", "each", "prefill"),
    [(0.5, 1, 1), (2, 1, 1), (1, 0.5, 1), (1, 2, 1), (1, 1, 0.5), (1, 1, 2), (2, 0.5, 1), (0.5, 2, 1)],
)
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_step_time_converges_where_one_coefficient_is_wrong(
    base: float, each: float, prefill: float, noise: float
) -> None:
    """Single coefficients are hardly told apart, yet their sum comes out right, within 15 % under noise of 20 %."""
    fit, traffic = StepTimeFit(off(base, each, prefill)), Traffic(true=TRUE, rate=20.0, noise=noise)
    traffic.run(fit, requests=600)

    assert worst(fit, traffic) < (0.15 if noise else 0.09)


@pytest.mark.parametrize("factor", WRONG)
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(("true", "rate"), [(NARROW, 6.0), (NARROW, 12.0), (SHORT, 6.0)])
def test_waiting_in_the_engine_is_not_taken_for_slowness(
    factor: float, true: Coefficients, rate: float, *, streams: bool
) -> None:
    """Where requests queue for slots or for KV blocks, the step time converges all the same, streamed or not."""
    configured = replace(off(factor), max_num_seqs=true.max_num_seqs, kv_tokens=true.kv_tokens)
    fit, traffic = StepTimeFit(configured), Traffic(true=true, rate=rate, streams=streams)
    traffic.run(fit, requests=600)

    assert traffic.waited > 150
    assert worst(fit, traffic) < 0.1


@pytest.mark.parametrize("factor", WRONG)
def test_requests_of_others_are_part_of_the_batch(factor: float) -> None:
    """With half of the requests somebody else's, known from scrapes only, what stays is their unseen prefill."""
    fit, traffic = StepTimeFit(off(factor)), Traffic(true=TRUE, rate=10.0, foreign=0.5)
    traffic.run(fit, requests=600)

    assert worst(fit, traffic) < 0.15


def test_a_right_start_stays_right() -> None:
    """Nothing is corrected that is not wrong."""
    fit, traffic = StepTimeFit(TRUE), Traffic(true=TRUE, rate=10.0)
    traffic.run(fit, requests=300)

    assert worst(fit, traffic) < 0.03
