"""What holds for every pool that the schema allows, whichever of its fields are given."""

from typing import Any

from drawn_resources import altered, pools
from hypothesis import assume, given
from pydantic import BaseModel

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_resource, with_defaults
from chimera_operator.api.pool import HeterogeneousModelPool


def read(document: dict[str, Any]) -> HeterogeneousModelPool | PoolError:
    try:
        return parse_resource(document)
    except PoolError as error:
        return error


@given(document=pools())
def test_pool_that_is_written_out_reads_as_itself(document: dict[str, Any]) -> None:
    """Defaults included: whatever was merged or left out, nothing contradicts it afterwards."""
    pool = read(document)
    assume(isinstance(pool, HeterogeneousModelPool))
    assert isinstance(pool, BaseModel)

    assert parse_resource(pool.model_dump(mode="json", by_alias=True, exclude_none=True)) == pool


@given(document=pools())
def test_schema_allows_what_the_types_allow(document: dict[str, Any]) -> None:
    """A drawn document may break a rule between fields, but no type, bound or pattern."""
    error = read(document)
    words = str(error) if isinstance(error, PoolError) else ""

    assert not any(wrong in words for wrong in ("must be a valid", "unknown key", "must be greater", "must be less"))


@given(document=altered(pools()))
def test_odd_value_brings_a_pool_or_one_line(document: dict[str, Any]) -> None:
    """Wherever it is put, and never the value itself."""
    error = read(document)

    assert isinstance(error, HeterogeneousModelPool) or len(str(error).splitlines()) == 1


@given(document=pools())
def test_defaults_are_merged_once(document: dict[str, Any]) -> None:
    """Merging again changes nothing, and what a model has itself is never lost."""
    merged = with_defaults(document)

    assert with_defaults(merged) == merged
    for own, whole in zip(document["spec"]["models"], merged["spec"]["models"], strict=True):
        assert own.keys() <= whole.keys()
        assert all(whole[key] == value for key, value in own.items() if not isinstance(value, dict))
