"""Both readers of a pool agree: what the API server stores is what this package reads, and nothing else."""

from typing import Any

import pytest
from admissions import Admission, RefusedError, admission
from drawn_resources import altered, pools
from hypothesis import HealthCheck, given, settings

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool

__all__ = ["admission"]

pytestmark = pytest.mark.anyio


async def stored(admission: Admission, document: dict[str, Any]) -> HeterogeneousModelPool | None:
    """Return what the API server would store of a document, as this package reads it; None where it refuses."""
    try:
        return parse_resource(await admission.admit(document))
    except RefusedError:
        return None


def read(document: dict[str, Any]) -> HeterogeneousModelPool | None:
    """Return what this package reads of a document; None where it refuses."""
    try:
        return parse_resource(document)
    except PoolError:
        return None


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(document=pools() | altered(pools()))
async def test_both_refuse_the_same_and_read_the_same(admission: Admission, document: dict[str, Any]) -> None:
    """Whatever is drawn from the schema, whatever odd value is put anywhere into it; the server's defaults are ours."""
    theirs, ours = await stored(admission, document), read(document)

    assert (theirs and theirs.spec) == (ours and ours.spec)
