"""Factors on the configured coefficients: what moves them, how far, and what does not."""

from dataclasses import replace

import pytest
from pools import model

from chimera_router.scheduling.fitting import ENOUGH, LIMIT, STEP, Fits, Passage, StepTimeFit
from chimera_router.scheduling.types import Coefficients, Model

CONFIGURED = Coefficients(
    base_step=0.01, per_sequence=0.0001, prefill_per_token=0.00002, max_num_seqs=64, kv_tokens=100_000
)
PLAIN = Passage(seconds=0.0, tokens=100, batch=10, prefill=1000)


def taking(factor: float, passage: Passage = PLAIN) -> Passage:
    """Return a passage that took so many times what was configured."""
    return replace(passage, seconds=factor * passage.expected(CONFIGURED))


def seen(factor: float, *, times: int = 200) -> StepTimeFit:
    fit = StepTimeFit(CONFIGURED)
    for _ in range(times):
        fit.observe(taking(factor))
    return fit


def test_passage_takes_steps_and_prefill() -> None:
    """Tokens times the step of the batch, and all prompts computed meanwhile."""
    assert PLAIN.expected(CONFIGURED) == pytest.approx(100 * (0.01 + 10 * 0.0001) + 1000 * 0.00002)


def test_configured_coefficients_hold_until_there_is_evidence() -> None:
    """A handful of slow requests changes nothing."""
    assert seen(2.0, times=int(ENOUGH) - 1).coefficients is CONFIGURED
    assert seen(2.0, times=2 * int(ENOUGH)).coefficients != CONFIGURED


@pytest.mark.parametrize("factor", [0.3, 0.5, 2.0, 3.5])
def test_time_of_what_is_seen_comes_out(factor: float) -> None:
    """However the three share it, their sum is what was observed."""
    assert PLAIN.expected(seen(factor).coefficients) == pytest.approx(taking(factor).seconds, rel=0.03)


@pytest.mark.parametrize(("factor", "bound"), [(8.0, LIMIT), (1 / 8, 1 / LIMIT)])
def test_factors_are_bounded(factor: float, bound: float) -> None:
    """An engine eight times slower than configured counts as four times slower."""
    fitted = seen(factor).coefficients

    assert PLAIN.expected(fitted) == pytest.approx(taking(bound).seconds, rel=0.02)


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_implausible_times_are_no_evidence(factor: float) -> None:
    """An answer handed over in one piece, or to a client that stopped reading, says nothing of the engine."""
    fit = seen(1.0)

    assert not fit.observe(taking(factor))
    assert fit.coefficients == seen(1.0).coefficients


def test_one_outlier_moves_little() -> None:
    """A request that took ten times as long counts as one of half as long again."""
    fit, clipped = seen(1.0), seen(1.0)
    fit.observe(taking(10.0))
    clipped.observe(taking(STEP))

    assert PLAIN.expected(fit.coefficients) == pytest.approx(PLAIN.expected(clipped.coefficients), rel=1e-3)
    assert PLAIN.expected(fit.coefficients) < 1.01 * PLAIN.expected(CONFIGURED)


def test_what_was_seen_long_ago_is_forgotten() -> None:
    """An engine that became twice as slow is believed to be so."""
    fit = seen(1.0, times=2000)
    for _ in range(1500):
        fit.observe(taking(2.0))

    assert PLAIN.expected(fit.coefficients) == pytest.approx(taking(2.0).seconds, rel=0.02)


def test_limits_of_the_engine_are_not_fitted() -> None:
    """Slots and KV tokens stay as configured, and a coefficient of zero stays zero."""
    fit = StepTimeFit(replace(CONFIGURED, per_sequence=0.0, prefill_per_token=0.0))
    for _ in range(50):
        fit.observe(Passage(seconds=2.0, tokens=100, batch=10, prefill=1000))
    fitted = fit.coefficients

    assert (fitted.max_num_seqs, fitted.kv_tokens) == (64, 100_000)
    assert (fitted.per_sequence, fitted.prefill_per_token) == (0.0, 0.0)
    assert fitted.base_step == pytest.approx(0.02, rel=0.01)


def learned(fits: Fits, models: dict[str, Model]) -> None:
    fits.fitted(models)
    for _ in range(50):
        fits.observe(models["small"], taking(2.0))


def test_models_get_the_coefficients_that_hold() -> None:
    """Those that were observed, the others as configured; and one mapping serves until something is learned."""
    fits, models = Fits(), {"small": model("small", CONFIGURED), "large": model("large", CONFIGURED)}
    learned(fits, models)
    fitted = fits.fitted(models)

    assert fitted["small"].coefficients.base_step > 0.015
    assert fitted["large"] is models["large"]
    assert fits.fitted(models) is fitted
    assert dict(fits) == {name: each.coefficients for name, each in fitted.items()}
    for _ in range(50):
        fits.observe(models["large"], taking(2.0))
    assert fits.fitted(models) is not fitted


def test_observation_tells_what_was_expected() -> None:
    """As configured, and as fitted before this observation."""
    fits, models = Fits(), {"small": model("small", CONFIGURED)}
    learned(fits, models)
    expected = fits.observe(models["small"], taking(2.0))

    assert expected == (pytest.approx(taking(1.0).seconds), pytest.approx(taking(2.0).seconds, rel=0.02))
    assert fits.observe(models["small"], taking(100.0)) is None


def test_fits_begin_anew_where_the_configuration_changes() -> None:
    """What was learned relative to other coefficients is not carried over, nor what their last answers tell."""
    fits, old = Fits(), {"small": model("small", CONFIGURED)}
    learned(fits, old)
    new = {"small": model("small", replace(CONFIGURED, base_step=0.02))}

    assert fits.fitted(new)["small"] is new["small"]
    assert fits.observe(old["small"], taking(2.0)) is None
    assert fits.observe(model("other", CONFIGURED), taking(2.0)) is None
    assert fits.fitted(new)["small"] is new["small"]
