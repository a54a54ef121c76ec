import pytest
from pools import FAST, busy, demanded, endpoint, prediction, state

from chimera_router.scheduling.latency import Demand, delay, estimate, occupancy
from chimera_router.scheduling.types import Coefficients, EndpointState, EngineMetrics

HOME = endpoint("a-0", "a")


def demand(
    engine: Coefficients = FAST,
    *,
    prompt: int = 0,
    cached: float = 0.0,
    rank: int | None = None,
    tokens: float = 100.0,
) -> Demand:
    return demanded(engine, prompt=prompt, cached=cached, rank=rank, prediction=prediction(tokens=tokens))


def metrics(running: int = 0, waiting: int = 0, kv: float = 0.0, own: int = 0) -> EngineMetrics:
    return EngineMetrics(running=running, waiting=waiting, kv_usage=kv, own=own)


def test_latency_of_an_idle_engine_is_prefill_and_every_token_at_the_pace_of_one() -> None:
    """With nobody else there, latency is prefill plus remaining tokens times the step of a batch of one."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.001, prefill_per_token=0.0001, max_num_seqs=8, kv_tokens=10_000
    )

    latency = estimate(state(HOME), demand(coefficients, prompt=1000, tokens=50))

    assert latency == pytest.approx(1000 * 0.0001 + 50 * 0.011)


def test_latency_counts_the_batch_this_request_joins() -> None:
    """Every running sequence makes each step longer for the one that joins."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.001, prefill_per_token=0.0, max_num_seqs=8, kv_tokens=10_000
    )

    latency = estimate(state(HOME, load=busy(3)), demand(coefficients, tokens=100))

    assert latency == pytest.approx(100 * (0.01 + 0.001 * 4))


def test_latency_counts_how_others_prompts_stall_each_step() -> None:
    """A step prefills, on average, what its requests bring in prompt for each token of their answers."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.0, prefill_per_token=0.0001, max_num_seqs=8, kv_tokens=10_000
    )

    latency = estimate(state(HOME, load=busy(3, prefill=20.0)), demand(coefficients, tokens=100))

    assert latency == pytest.approx(100 * (0.01 + 20 * 0.0001))


def test_latency_leaves_the_cached_share_of_the_prompt_out_of_prefill() -> None:
    """Tokens in the endpoint's prefix cache cost no prefill."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.0, prefill_per_token=0.001, max_num_seqs=8, kv_tokens=10_000
    )

    cold = estimate(state(HOME), demand(coefficients, prompt=1000, cached=0.0, tokens=0))
    warm = estimate(state(HOME), demand(coefficients, prompt=1000, cached=0.75, tokens=0))

    assert (cold, warm) == (pytest.approx(1.0), pytest.approx(0.25))


def test_latency_has_no_wait_while_a_slot_is_free() -> None:
    """A request that finds a slot starts at once, however many tokens are in flight."""
    latency = estimate(state(HOME, load=busy(3, tokens=10_000)), demand(tokens=100))

    assert latency == pytest.approx(100 * 0.01)


def test_latency_waits_for_the_next_slot_when_every_slot_is_taken() -> None:
    """With all slots taken and nobody queued, one more request's worth of tokens has to come first."""
    full = state(HOME, load=busy(4, tokens=200))

    latency = estimate(full, demand(tokens=100))

    assert latency == pytest.approx(200 / (4 / 0.01) + 100 * 0.01)


def test_latency_waits_only_for_those_that_go_first() -> None:
    """Requests behind this one in the queue do not delay it."""
    crowd = busy(4, tokens=200, queued=[(5, 200), (5, 200), (50, 200)])

    ahead = estimate(state(HOME, load=crowd), demand(rank=10))
    behind = estimate(state(HOME, load=crowd), demand(rank=100))

    assert behind - ahead == pytest.approx(200 / 400)


def test_latency_waits_when_the_cache_is_full_though_slots_are_free() -> None:
    """An engine out of KV space queues a request even with a free slot, until the one that holds it has ended."""
    roomy = estimate(state(HOME, load=busy(1), metrics=metrics(running=1, own=1, kv=0.1)), demand())
    full = estimate(state(HOME, load=busy(1), metrics=metrics(running=1, own=1, kv=1.0)), demand())

    assert full - roomy == pytest.approx(100 / (1 / 0.01))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(state(HOME), 0, id="nobody"),
        pytest.param(state(HOME, load=busy(2)), 2, id="own only"),
        pytest.param(state(HOME, metrics=metrics(running=3, waiting=2)), 5, id="foreign only"),
        pytest.param(state(HOME, load=busy(2), metrics=metrics(running=5, own=2)), 5, id="own among the engine's"),
        pytest.param(state(HOME, load=busy(2), metrics=metrics(running=5, own=5)), 2, id="own ended since"),
        pytest.param(state(HOME, load=busy(9), metrics=metrics(running=1, own=3)), 9, id="own not there yet"),
    ],
)
def test_occupancy_counts_own_and_foreign_requests_once(given: EndpointState, expected: int) -> None:
    """Own requests are part of what the engine reports, and may be ahead of its report."""
    assert occupancy(given) == expected


def test_latency_takes_foreign_requests_to_be_like_own_ones() -> None:
    """A direct client's request in a full engine's queue weighs as much as the mean of our own."""
    crowd = state(HOME, load=busy(4, tokens=300), metrics=metrics(running=4, waiting=4, own=4))

    latency = estimate(crowd, demand(tokens=0))

    assert latency == pytest.approx((4 + 1) * 300 / 400)


def test_delay_is_a_longer_step_and_a_stalled_batch_for_each_beside() -> None:
    """Every running request loses `b2` a token and the uncached prefill."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.001, prefill_per_token=0.0001, max_num_seqs=8, kv_tokens=10_000
    )

    lost = delay(state(HOME, load=busy(3)), demand(coefficients, prompt=1000, cached=0.5, tokens=100))

    assert lost == pytest.approx(3 * (100 * 0.001 + 500 * 0.0001))


def test_delay_is_nothing_on_an_idle_engine() -> None:
    """Nobody loses where nobody is."""
    assert delay(state(HOME), demand(prompt=1000, tokens=1000)) == 0.0


def test_delay_counts_those_who_queue_behind() -> None:
    """In a full engine whoever stands behind waits for this request's tokens at the engine's rate."""
    crowd = state(HOME, load=busy(4, queued=[(5, 100), (50, 100), (60, 100)]))

    lost = delay(crowd, demand(rank=10, tokens=200))

    assert lost == pytest.approx(2 * 200 / (4 / 0.01))


def test_slots_are_as_many_as_the_cache_holds() -> None:
    """Where the KV cache is what is short, the batch is what fits in it at the mean size."""
    crowd = state(HOME, load=busy(4, tokens=100, context=50_000))

    latency = estimate(crowd, demand(tokens=0))

    queued, rate = 2, 2 / 0.01
    assert latency == pytest.approx((queued + 1) * 100 / rate)
