"""The policies that are compared, and what a bench knows of a pool."""

import pytest

from chimera_bench.policies import PolicyName, under
from chimera_bench.pools import coefficients, recorded_names, with_slots
from chimera_operator.local.documents import load_pool, sample_pool

POOL = load_pool(sample_pool())


def test_chimera_keeps_the_routing_of_the_pool() -> None:
    """The demo shows what the document asks for."""
    assert under(PolicyName.CHIMERA, POOL).spec.routing == POOL.spec.routing


@pytest.mark.parametrize(
    ("policy", "kind", "model"),
    [
        (PolicyName.ROUND_ROBIN, "RoundRobin", None),
        (PolicyName.ALWAYS_SMALL, "Static", POOL.spec.models[0].name),
        (PolicyName.ALWAYS_LARGE, "Static", POOL.spec.models[-1].name),
    ],
    ids=str,
)
def test_a_baseline_is_a_routing_of_the_same_pool(policy: PolicyName, kind: str, model: str | None) -> None:
    """The models stay as they are."""
    pool = under(policy, POOL)

    assert (pool.spec.routing.policy, pool.spec.routing.static_model) == (kind, model)
    assert pool.spec.routing.order == "Arrival"
    assert pool.spec.models == POOL.spec.models


def test_slots_are_those_of_every_engine() -> None:
    """Nothing else of the pool changes, and the document itself does not."""
    limited = with_slots(POOL, 16)

    assert {model.engine.max_num_seqs for model in limited.spec.models} == {16}
    assert {model.engine.max_num_seqs for model in POOL.spec.models} == {256}
    assert [model.engine.kv_tokens for model in limited.spec.models] == [
        model.engine.kv_tokens for model in POOL.spec.models
    ]


def test_a_limited_pool_survives_a_change_of_policy() -> None:
    """The document that is rendered holds the slots."""
    pool = under(PolicyName.ROUND_ROBIN, with_slots(POOL, 16))

    assert coefficients(pool)["llama-3-70b"].max_num_seqs == 16


def test_coefficients_are_seconds() -> None:
    """The document's milliseconds and microseconds are the router's seconds."""
    large = coefficients(POOL)["llama-3-70b"]

    assert (large.base_step, large.per_sequence, large.prefill_per_token) == pytest.approx((17.8e-3, 63e-6, 47.7e-6))


def test_recorded_names_are_those_of_the_descriptors() -> None:
    """The pool's names are its own."""
    assert recorded_names(POOL)["llama-3-8b"] == "Meta-Llama-3-8B-Instruct"
