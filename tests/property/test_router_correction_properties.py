"""Online correction stays within its bounds whatever is observed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_router.prediction.correction import (
    CONFIDENCE,
    LENGTH,
    TENANTS,
    Correction,
    Corrections,
    Terms,
    corrected,
)
from chimera_router.prediction.port import Judgement, Observation

ANY_TOKENS = st.one_of(st.integers(0, 4), st.integers(0, 10**12))
ANY_TIME = st.floats(0.0, 2e9)
ANY_TENANT = st.sampled_from("abc")
BOTH = pytest.mark.parametrize("terms", [LENGTH, CONFIDENCE], ids=["length", "confidence"])


def length(predicted: float, seen: int, *, tenant: str = "a", at: float = 0.0) -> Observation:
    return Observation(model="m", stage=0, output_tokens=seen, predicted_tokens=predicted, tenant=tenant, at=at)


def judgement(confidence: float, success: float, *, tenant: str = "a", at: float = 0.0) -> Judgement:
    return Judgement(model="m", confidence=confidence, success=success, tenant=tenant, at=at)


def factor(corrections: Corrections) -> float:
    return corrections.by_model["m"].length_factor


def logits(corrections: Corrections) -> float:
    return corrections.by_model["m"].confidence.value


def pull(terms: Terms, correction: Correction, tenant: str, count: int, *, up: bool) -> None:
    """Let a tenant pull as hard as it can."""
    expected, seen = {True: (0.0, 1.0), False: (1.0, 0.0)}[up]
    span = 1.0 if terms is CONFIDENCE else terms.limit
    for _ in range(count):
        correction.observe(tenant=tenant, expected=expected * span, seen=seen * span, at=0.0)


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(0.0, 1e15)), ANY_TOKENS, ANY_TENANT, ANY_TIME), max_size=60))
def test_length_factor_is_bounded(seen: list[tuple[float | None, int, str, float]]) -> None:
    """Zero or huge, in any order of times: between a quarter and four, always finite."""
    corrections = Corrections()
    for predicted, tokens, tenant, at in seen:
        corrections.observe(
            Observation(model="m", stage=0, output_tokens=tokens, predicted_tokens=predicted, tenant=tenant, at=at)
        )

    assert all(0.25 - 1e-9 <= found <= 4.0 + 1e-9 for _, found, _ in corrections)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), ANY_TENANT, ANY_TIME), max_size=60))
def test_confidence_correction_is_bounded(seen: list[tuple[float, float, str, float]]) -> None:
    """Whatever is reported of whatever confidence."""
    corrections = Corrections()
    for confidence, success, tenant, at in seen:
        corrections.judge(judgement(confidence, success, tenant=tenant, at=at))

    assert all(abs(found) <= CONFIDENCE.limit + 1e-9 for _, _, found in corrections)


@given(st.floats(1.0, 4000.0), ANY_TOKENS)
def test_one_length_moves_little(predicted: float, tokens: int) -> None:
    """The first observation moves the log of the factor by at most limit / enough."""
    corrections = Corrections()
    corrections.observe(length(predicted, tokens))

    assert abs(math.log(factor(corrections))) <= LENGTH.limit / LENGTH.enough + 1e-9


@given(ANY_TOKENS, st.integers(1, 60))
def test_every_later_length_moves_little(tokens: int, before: int) -> None:
    """No single observation moves the log of the factor by more than 2 x limit / cap x the weights' own growth."""
    corrections = Corrections()
    for _ in range(before):
        corrections.observe(length(100.0, 150))
    old = math.log(factor(corrections))

    corrections.observe(length(100.0, tokens))

    assert abs(math.log(factor(corrections)) - old) <= 2.0 * LENGTH.limit / LENGTH.cap + 1e-9


@given(st.integers(30, 380), st.integers(1, 3))
def test_lengths_converge_to_a_constant_bias(percent: int, tenants: int) -> None:
    """After some windows the factor is the ratio of what was seen to what was predicted."""
    corrections = Corrections()
    for number in range(6 * int(LENGTH.cap) * tenants):
        corrections.observe(length(1000.0, percent * 10, tenant=str(number % tenants)))

    assert factor(corrections) == pytest.approx(percent / 100.0, rel=1e-3)


@given(st.floats(0.2, 0.8), st.floats(-1.4, 1.4))
def test_confidence_converges_to_a_constant_bias(confidence: float, bias: float) -> None:
    """After some windows the corrected confidence is the success rate."""
    corrections, rate = Corrections(), corrected(confidence, bias)
    for _ in range(4 * int(CONFIDENCE.cap)):
        corrections.judge(judgement(confidence, rate))

    assert logits(corrections) == pytest.approx(bias, abs=1e-6)


@BOTH
@given(flood=st.integers(1, 3000), up=st.booleans())
def test_one_tenant_moves_it_at_most_half_way(terms: Terms, flood: int, up: bool) -> None:  # noqa: FBT001 - drawn
    """While another one with a full window agrees with the predictions, a flood moves it by half of the limit."""
    correction = Correction(terms)
    for _ in range(int(terms.cap)):
        correction.observe(tenant="good", expected=0.5, seen=0.5, at=0.0)

    pull(terms, correction, "bad", flood, up=up)

    assert abs(correction.value) <= terms.limit / 2.0 + 1e-9


@BOTH
def test_more_good_tenants_hold_it_tighter(terms: Terms) -> None:
    """Against three with a full window, one moves it by a quarter of the limit."""
    correction = Correction(terms)
    for tenant in ("x", "y", "z"):
        for _ in range(int(terms.cap)):
            correction.observe(tenant=tenant, expected=0.5, seen=0.5, at=0.0)

    pull(terms, correction, "bad", 2000, up=True)

    assert correction.value == pytest.approx(terms.limit / 4.0)


@BOTH
def test_old_observations_are_forgotten(terms: Terms) -> None:
    """A tenant whose answers changed is believed after some windows, whatever it showed before."""
    correction = Correction(terms)
    pull(terms, correction, "a", 1000, up=True)
    for _ in range(12 * int(terms.cap)):
        correction.observe(tenant="a", expected=0.5, seen=0.5, at=0.0)

    assert correction.value == pytest.approx(0.0, abs=1e-3)


@BOTH
def test_a_silent_tenant_fades(terms: Terms) -> None:
    """Ten half-lives after its last word, one that still speaks decides alone."""
    correction = Correction(terms)
    pull(terms, correction, "gone", 1000, up=True)
    for _ in range(4 * int(terms.cap)):
        correction.observe(tenant="here", expected=0.5, seen=0.5, at=10.0 * terms.half_life)

    assert abs(correction.value) < terms.limit / 500.0


def test_tenants_are_bounded() -> None:
    """However many there are, only so many are remembered."""
    corrections = Corrections()
    for number in range(2 * TENANTS):
        corrections.observe(length(10.0, 20, tenant=str(number)))

    assert len(corrections.by_model["m"].length.tenants) == TENANTS


@given(st.floats(0.0, 1.0), st.floats(-2.0, 2.0))
def test_a_corrected_chance_is_a_chance(confidence: float, shift: float) -> None:
    """Within 0 and 1, ordered as the shift, and undone by its opposite."""
    moved = corrected(confidence, shift)

    assert 0.0 <= moved <= 1.0
    assert (moved - confidence) * shift >= -1e-12
    assert corrected(moved, -shift) == pytest.approx(confidence, abs=1e-9)


def test_what_no_bundle_predicted_teaches_nothing() -> None:
    """An observation without a prediction leaves no trace."""
    corrections = Corrections()
    corrections.observe(Observation(model="m", stage=0, output_tokens=9))

    assert list(corrections) == []
