import pytest
from pools import FAST, busy, endpoint, prediction, state

from chimera_router.scheduling.latency import Demand, estimate, occupancy
from chimera_router.scheduling.types import Coefficients, EndpointState, EngineMetrics

HOME = endpoint("a-0", "a")


def demand(*, prompt: int = 0, cached: float = 0.0, priority: int = 0, tokens: float = 100.0) -> Demand:
    return Demand(prompt_tokens=prompt, cached_share=cached, priority=priority, prediction=prediction(tokens=tokens))


def metrics(running: int = 0, waiting: int = 0, kv: float = 0.0) -> EngineMetrics:
    return EngineMetrics(running=running, waiting=waiting, kv_usage=kv)


def test_latency_of_an_idle_engine_is_prefill_and_every_token_at_the_pace_of_one() -> None:
    """With nobody else there, latency is prefill plus remaining tokens times the step of a batch of one."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.001, prefill_per_token=0.0001, max_num_seqs=8, kv_tokens=10_000
    )

    latency = estimate(state(HOME), coefficients, demand(prompt=1000, tokens=50))

    assert latency == pytest.approx(1000 * 0.0001 + 50 * 0.011)


def test_latency_counts_the_batch_this_request_joins() -> None:
    """Every running sequence makes each step longer for the one that joins."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.001, prefill_per_token=0.0, max_num_seqs=8, kv_tokens=10_000
    )

    latency = estimate(state(HOME, in_flight=busy(3)), coefficients, demand(tokens=100))

    assert latency == pytest.approx(100 * (0.01 + 0.001 * 4))


def test_latency_leaves_the_cached_share_of_the_prompt_out_of_prefill() -> None:
    """Tokens in the endpoint's prefix cache cost no prefill."""
    coefficients = Coefficients(
        base_step=0.01, per_sequence=0.0, prefill_per_token=0.001, max_num_seqs=8, kv_tokens=10_000
    )

    cold = estimate(state(HOME), coefficients, demand(prompt=1000, cached=0.0, tokens=0))
    warm = estimate(state(HOME), coefficients, demand(prompt=1000, cached=0.75, tokens=0))

    assert (cold, warm) == (pytest.approx(1.0), pytest.approx(0.25))


def test_latency_has_no_wait_while_a_slot_is_free() -> None:
    """A request that finds a slot starts at once, however many tokens are in flight."""
    latency = estimate(state(HOME, in_flight=busy(3, tokens=10_000)), FAST, demand(tokens=100))

    assert latency == pytest.approx(100 * 0.01)


def test_latency_waits_for_tokens_ahead_when_every_slot_is_taken() -> None:
    """With all slots taken the wait is the tokens ahead over the engine's token rate."""
    full = state(HOME, in_flight=busy(4, tokens=200))

    latency = estimate(full, FAST, demand(tokens=100))

    assert latency == pytest.approx(4 * 200 / (4 / 0.01) + 100 * 0.01)


def test_latency_waits_only_for_those_that_go_first() -> None:
    """Requests behind this one in priority order do not delay it."""
    crowd = busy(4, tokens=200, priority=5) + busy(4, tokens=200, priority=50)

    ahead = estimate(state(HOME, in_flight=crowd), FAST, demand(priority=10))
    behind = estimate(state(HOME, in_flight=crowd), FAST, demand(priority=100))

    assert behind - ahead == pytest.approx(4 * 200 / 400)


def test_latency_waits_when_the_cache_is_full_though_slots_are_free() -> None:
    """An engine out of KV space queues a request even with a free slot."""
    roomy = estimate(state(HOME, in_flight=busy(1), metrics=metrics(running=1, kv=0.1)), FAST, demand())
    full = estimate(state(HOME, in_flight=busy(1), metrics=metrics(running=1, kv=1.0)), FAST, demand())

    assert full - roomy == pytest.approx(100 / 400)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(state(HOME), 0, id="nobody"),
        pytest.param(state(HOME, in_flight=busy(2)), 2, id="own only"),
        pytest.param(state(HOME, metrics=metrics(running=3, waiting=2)), 5, id="foreign only"),
        pytest.param(state(HOME, in_flight=busy(2), metrics=metrics(running=5)), 5, id="own among the engine's"),
        pytest.param(state(HOME, in_flight=busy(9), metrics=metrics(running=1)), 9, id="metrics lag behind"),
    ],
)
def test_occupancy_counts_own_and_foreign_requests_once(given: EndpointState, expected: int) -> None:
    """Own requests are part of what the engine reports, and may be ahead of its report."""
    assert occupancy(given) == expected


def test_latency_takes_foreign_requests_to_be_like_own_ones() -> None:
    """A direct client's request in a full engine weighs as much as the mean of our own."""
    crowd = state(HOME, in_flight=busy(4, tokens=300), metrics=metrics(running=4, waiting=4))

    latency = estimate(crowd, FAST, demand(tokens=0))

    assert latency == pytest.approx(8 * 300 / 400)
