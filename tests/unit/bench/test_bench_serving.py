"""Serving pools as files give them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chimera_bench.serving import read_pools, shipped_pools
from chimera_router.scheduling.types import Coefficients
from chimera_training.data import DataError, read_prompt_outcomes, read_workflows, recorded_folder

ENGINE = {
    "model": "S",
    "params_b": 3.1,
    "accelerators": 1,
    "b0_ms": 3.8,
    "b2_us": 13.5,
    "prefill_us_per_token": 8,
    "kv_tokens": 1000,
    "max_num_seqs": 256,
}
POOL: dict[str, Any] = {
    "name": "two",
    "file": "prompt_outcomes",
    "task_sets": ["sums"],
    "models": ["S", "L"],
    "small": "S",
    "serving": [ENGINE, {**ENGINE, "model": "L", "params_b": 72.7}],
}

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(pools: Any) -> Path:
        path = tmp_path / "pools.json"
        path.write_text(json.dumps(pools))
        return path

    return write


def test_a_pool_is_read_in_seconds(write: Write) -> None:
    """The file gives milliseconds and microseconds."""
    (pool,) = read_pools(write([POOL]))

    assert (pool.name, pool.file, pool.task_sets, pool.models) == ("two", "prompt_outcomes", ("sums",), ("S", "L"))
    assert pool.params_b == {"S": 3.1, "L": 72.7}
    assert pool.coefficients["S"] == Coefficients(
        base_step=0.0038, per_sequence=13.5e-6, prefill_per_token=8e-6, max_num_seqs=256, kv_tokens=1000
    )


def test_a_pool_has_one_engine_a_model_that_caches_prefixes(write: Write) -> None:
    """Unless a bench asks for something else."""
    (pool,) = read_pools(write([POOL]))

    assert (pool.endpoints, pool.prefix_caching) == (1, True)


def test_slots_can_be_limited(write: Write) -> None:
    """To see engines queue; all else stays."""
    (pool,) = read_pools(write([POOL]))
    limited = pool.with_slots(32)

    assert {engine.max_num_seqs for engine in limited.coefficients.values()} == {32}
    assert limited.with_slots(256) == pool


def test_a_pool_that_nothing_serves_is_passed_over(write: Write) -> None:
    """Files also hold pools that only predictors are measured on."""
    measured = {key: value for key, value in POOL.items() if key != "serving"}

    assert [pool.name for pool in read_pools(write([{**measured, "name": "measured"}, POOL]))] == ["two"]


@pytest.mark.parametrize(
    ("pools", "rule"),
    [
        ([{**POOL, "serving": [ENGINE]}], "pool two: `serving` must list each of `models` once, in their order"),
        ([{**POOL, "serving": POOL["serving"][::-1]}], "`serving` must list each of `models` once"),
        ([{**POOL, "models": ["S", "S"], "serving": [ENGINE, ENGINE]}], "`serving` must list each of `models` once"),
        ([POOL, POOL], "no name may occur twice"),
        ([{**POOL, "file": "arrivals"}], "Invalid enum value"),
        ([{**POOL, "serving": [{**ENGINE, "b0_ms": 0}]}], "b0_ms"),
        ({}, "Expected `array`"),
    ],
)
def test_a_broken_file_is_refused(write: Write, pools: Any, rule: str) -> None:
    """With the file and the rule."""
    path = write(pools)

    with pytest.raises(DataError) as refused:
        read_pools(path)

    assert rule in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_pools(tmp_path / "none.json")


def test_the_pools_that_ship_have_data_that_ships() -> None:
    """Every model of each was recorded on every one of its task sets."""
    recorded = {(run.task_set, run.model) for run in read_workflows(recorded_folder())}
    recorded |= {(row.task_set, row.model) for row in read_prompt_outcomes(recorded_folder())}
    pools = read_pools(shipped_pools())

    assert len(pools) == 4
    assert {(task_set, model) for pool in pools for task_set in pool.task_sets for model in pool.models} <= recorded
