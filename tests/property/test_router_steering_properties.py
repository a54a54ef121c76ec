"""Whatever the pool's response, the price settles; whatever is observed, it stays within its bounds."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from steered import Curve, Run

from chimera_router.scheduling.steering import HIGHEST, LOWEST, PriceSteer
from chimera_router.scheduling.targets import LatencyTarget, ScoreTarget

ANY_CURVE = st.builds(
    lambda least, spread, steepness: Curve(least=least, most=least * spread, steepness=steepness),
    st.floats(0.2, 20.0),
    st.floats(3.0, 20.0),
    st.floats(0.7, 3.0),
)
ANY_VALUE = st.one_of(st.none(), st.floats(-1e9, 1e9), st.just(math.inf), st.just(math.nan))


@settings(max_examples=50)
@given(
    st.sampled_from([LatencyTarget(5.0), ScoreTarget(0.6)]),
    st.lists(st.tuples(ANY_VALUE, ANY_VALUE, st.floats(-1e3, 1e6)), max_size=60),
)
def test_price_stays_within_its_bounds(
    target: LatencyTarget | ScoreTarget, observed: list[tuple[float | None, float | None, float]]
) -> None:
    """Absurd observations and clocks that go back included."""
    steer = PriceSteer(target)
    for latency, confidence, now in observed:
        steer.observe(latency=latency, confidence=confidence, now=now)
        assert 0.999 * LOWEST <= steer.price <= 1.001 * HIGHEST


@settings(max_examples=15, deadline=None)
@given(
    ANY_CURVE,
    st.floats(0.3, 0.7),
    st.sampled_from([0.1, 10.0]),
    st.integers(0, 1000),
)
def test_price_settles_whatever_the_response(curve: Curve, place: float, start: float, seed: int) -> None:
    """Over curves flat and steep, from ten times too low or too high: it arrives, and swings neither then nor later."""
    target = LatencyTarget(curve.least * (curve.most / curve.least) ** place)
    right = curve.price(target.seconds)
    windows = 60 / target.window
    run = Run(steer=PriceSteer(target, start=start * right), curve=curve, rate=windows, seed=seed)
    logs = run.latencies(60 * 40, right=right)
    passed = [-log * math.copysign(1.0, start - 1.0) for log in logs]

    assert max(passed) < 1.2
    assert max(abs(log) for log in logs[-60 * 15 :]) < 0.8
