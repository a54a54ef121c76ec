"""Whatever is observed, coefficients stay within their bounds and what is measured is possible."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_router.scheduling.fitting import LIMIT, Passage, StepTimeFit
from chimera_router.scheduling.passages import Meters
from chimera_router.scheduling.types import Coefficients, EngineMetrics

CONFIGURED = Coefficients(
    base_step=0.01, per_sequence=0.0001, prefill_per_token=0.00002, max_num_seqs=64, kv_tokens=100_000
)
ANY_PASSAGE = st.builds(
    Passage,
    seconds=st.floats(0.0, 1e9),
    tokens=st.floats(0.0, 1e9),
    batch=st.floats(1.0, 1e4),
    prefill=st.floats(0.0, 1e9),
)
POSSIBLE = st.builds(
    Passage,
    seconds=st.floats(0.05, 50.0),
    tokens=st.floats(8.0, 500.0),
    batch=st.floats(1.0, 64.0),
    prefill=st.floats(0.0, 5000.0),
)
MOVES = st.lists(st.tuples(st.sampled_from(["open", "token", "end", "drop"]), st.floats(0.0, 3.0)), max_size=60)
WORDS = st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0.0, 1.0)))


@settings(max_examples=50)
@given(st.lists(st.one_of(ANY_PASSAGE, POSSIBLE), max_size=60))
def test_coefficients_stay_within_their_bounds(passages: list[Passage]) -> None:
    """No coefficient leaves a quarter to four times its configured value."""
    fit = StepTimeFit(CONFIGURED)
    for passage in passages:
        fit.observe(passage)
        fitted = fit.coefficients
        pairs = (
            (fitted.base_step, CONFIGURED.base_step),
            (fitted.per_sequence, CONFIGURED.per_sequence),
            (fitted.prefill_per_token, CONFIGURED.prefill_per_token),
        )
        assert all(0.999 / LIMIT <= value / configured <= 1.001 * LIMIT for value, configured in pairs)


@settings(max_examples=50)
@given(st.lists(POSSIBLE, min_size=20, max_size=60), st.floats(0.3, 3.0))
def test_step_time_follows_one_common_factor(passages: list[Passage], factor: float) -> None:
    """Whatever mix of work is seen, an engine slower by one factor in everything is found out at the batches seen."""
    fit = StepTimeFit(CONFIGURED)
    for passage in passages * 4:
        seconds = factor * passage.expected(CONFIGURED)
        fit.observe(Passage(seconds=seconds, tokens=passage.tokens, batch=passage.batch, prefill=passage.prefill))
    expected = sum(factor * passage.expected(CONFIGURED) for passage in passages)

    assert abs(sum(passage.expected(fit.coefficients) for passage in passages) / expected - 1.0) < 0.12


@settings(max_examples=80)
@given(MOVES, WORDS)
def test_what_is_measured_is_possible(moves: list[tuple[str, float]], words: tuple[int, int, float] | None) -> None:
    """Batches lie between one and the slots, times and prompts are not negative, and nothing stays in the batch."""
    meters, under_way, now = Meters(), [], 0.0
    metrics = None if words is None else EngineMetrics(running=words[0], waiting=words[1], kv_usage=words[2])
    most = max(4, words[0] if words else 0)  # an engine that runs more than it was said to is believed
    for move, pause in moves:
        now += pause
        if move == "open" or not under_way:
            under_way.append(meters.open("e", slots=4, uncached=7.0, metrics=metrics, now=now))
        elif move == "token":
            under_way[0].progressed(2, metrics, now)
        else:
            passing = under_way.pop()
            passage = passing.ended(50, metrics, now) if move == "end" else None
            passing.closed(metrics, now)
            assert passage is None or (1.0 <= passage.batch <= most + 1e-9 and passage.prefill >= 0.0)
            assert passage is None or (passage.seconds > 0.0 and passage.tokens >= 8.0)
    for passing in under_way:
        passing.closed(metrics, now)
        assert passing.meter.own >= 0
    assert all(passing.meter.own == 0 for passing in under_way)
