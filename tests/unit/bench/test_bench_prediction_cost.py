import pytest

from chimera_bench.prediction_cost import Case, measure, recorded_queries
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(default_bundle())


def test_requests_are_recorded_prompts() -> None:
    """Several hundred different ones, with about as many tokens as they have."""
    queries = recorded_queries()

    assert len({query.text for query in queries}) == len(queries) > 400
    assert all(1 <= query.prompt_tokens <= len(query.text) + 1 for query in queries)


async def test_every_case_is_timed_by_the_bundle_itself(bundle: Bundle) -> None:
    """Alone and in batches, on one thread and two; a request of a batch is cheaper than one alone."""
    cases = [
        Case(bundle=bundle, models=10, batch=batch, threads=threads) for batch, threads in ((1, 1), (16, 1), (4, 2))
    ]
    told: list[None] = []

    alone, batched, other = await measure(cases, recorded_queries(), bursts=20, on_burst=lambda: told.append(None))

    assert len(told) == len(cases) * 23  # three to warm up
    assert all(cost.bursts == 20 and cost.fallbacks == 0 for cost in (alone, batched, other))
    assert all(0 < cost.median <= cost.p99 for cost in (alone, batched, other))
    assert batched.median < alone.median


async def test_a_pool_may_be_larger_than_the_bundle(bundle: Bundle) -> None:
    """Its models are taken in turn."""
    more = len(bundle.manifest.models) + 1

    (cost,) = await measure([Case(bundle=bundle, models=more, batch=1, threads=1)], recorded_queries(), bursts=2)

    assert cost.fallbacks == 0
