"""Names of what a pool becomes: they fit, they are names, and no two are the same."""

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from chimera_operator.api.names import LONGEST, model_object_name, pool_object_name
from chimera_operator.api.scalars import DNS_LABEL, POOL_NAME

pools = st.from_regex(POOL_NAME, fullmatch=True)
models = st.from_regex(DNS_LABEL, fullmatch=True)
parts = st.just("") | st.from_regex(DNS_LABEL, fullmatch=True)
roles = st.from_regex(r"[a-z]([a-z-]{0,20}[a-z])?", fullmatch=True)


@given(pool=pools, model=models, part=parts)
@example(pool="a" * 40, model="b" * 63, part="")
@example(pool="a" * 40, model="b" * 63, part="c" * 63)
@example(pool="a" * 25 + "-b", model="c" * 26 + "-d", part="")
@example(pool="a" * 17 + "-b", model="c" * 17 + "-d", part="e" * 15 + "-f")
def test_name_of_a_models_object_is_a_label(pool: str, model: str, part: str) -> None:
    """Whatever pool, model and part are called, it is valid for a Service, a label's value and everything else."""
    name = model_object_name(pool, model, part)

    assert len(name) <= LONGEST
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)


@given(pool=pools, role=roles)
@example(pool="a" * 40, role="b" * 22)
def test_name_of_a_pools_object_is_a_label(pool: str, role: str) -> None:
    """It is never cut."""
    assert len(pool_object_name(pool, role)) <= LONGEST
    assert pool_object_name(pool, role) == f"{pool}-{role}"


@given(one=st.tuples(pools, models, parts), other=st.tuples(pools, models, parts))
@example(one=("a-b", "c", ""), other=("a", "b-c", ""))
@example(one=("a", "b-c", ""), other=("a", "b", "c"))
@example(one=("a", "b" * 40 + "c", ""), other=("a", "b" * 40 + "d", ""))
def test_no_two_models_share_a_name(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Not even where one pool's name goes on as another's model, or where only the ends differ."""
    assume(one != other)

    assert model_object_name(*one) != model_object_name(*other)


def test_name_is_the_same_for_ever() -> None:
    """Another version of the operator has to find what this one made."""
    assert model_object_name("assistants", "llama-3-8b") == "assistants-llama-3-8b-a989de6f"
    assert model_object_name("assistants", "llama-3-8b", "nvidia-h100") == "assistants-llama-3-8b-nvidia-h100-007953b5"
