import json
from pathlib import Path
from typing import Any

import pytest

from chimera_training.data import DataError
from chimera_training.examples import Examples
from chimera_training.pools import pools_of, read_pools

POOL = {"name": "two", "task_sets": ["sums"], "models": ["Small-7B-Chat", "Big-70B-Chat"]}


def write(folder: Path, pools: Any) -> Path:
    path = folder / "pools.json"
    path.write_text(pools if isinstance(pools, str) else json.dumps(pools))
    return path


def test_pools_are_read_and_other_keys_passed_over(small_examples: Examples, tmp_path: Path) -> None:
    """The same file may say how the pool is served."""
    path = write(tmp_path, [POOL | {"serving": [{"params_b": 7}], "file": "prompt_outcomes"}])

    (pool,) = read_pools(path, small_examples)

    assert (pool.name, pool.task_sets, pool.models) == ("two", ("sums",), ("Small-7B-Chat", "Big-70B-Chat"))


def test_the_ends_are_the_first_and_the_last_unless_named(small_examples: Examples, tmp_path: Path) -> None:
    """Small and large are what the performance gap lies between."""
    turned = POOL | {"name": "turned", "small": "Big-70B-Chat", "large": "Small-7B-Chat"}

    two, named = read_pools(write(tmp_path, [POOL, turned]), small_examples)

    assert two.ends == ("Small-7B-Chat", "Big-70B-Chat")
    assert named.ends == ("Big-70B-Chat", "Small-7B-Chat")


@pytest.mark.parametrize(
    ("pools", "rule"),
    [
        ("not json", "JSON is malformed"),
        ({"pools": [POOL]}, "Expected `array`, got `object`"),
        ([], "at least one pool"),
        ([POOL, POOL], "no name twice"),
        ([{"name": "x", "task_sets": ["sums"]}], r"missing required field `models` - at `\$\[0\]`"),
        ([POOL | {"models": []}], r"length >= 1 - at `\$\[0\].models`"),
        ([POOL | {"models": ["Big-70B-Chat", "Big-70B-Chat"]}], "pool two: `models` must hold no name twice"),
        ([POOL | {"models": ["Nobody"]}], "pool two: model 'Nobody' must be in the bundle and in the data"),
        ([POOL | {"task_sets": ["chess"]}], "pool two: the data has no tasks to measure in task set 'chess'"),
        ([POOL | {"large": "Coder-7B-Chat"}], "`small` and `large` must be among `models`, but 'Coder-7B-Chat' is not"),
    ],
)
def test_a_broken_rule_is_named_with_its_file(small_examples: Examples, tmp_path: Path, pools: Any, rule: str) -> None:
    """One line: the file, the place, the rule."""
    with pytest.raises(DataError, match=rf"pools\.json: .*{rule}"):
        read_pools(write(tmp_path, pools), small_examples)


def test_a_file_that_is_not_text_is_refused(small_examples: Examples, tmp_path: Path) -> None:
    """Bytes outside UTF-8 are no JSON."""
    (tmp_path / "pools.json").write_bytes(b'[{"name": "\xff\xfe"}]')

    with pytest.raises(DataError, match=r"pools\.json: "):
        read_pools(tmp_path / "pools.json", small_examples)


def test_a_missing_file_is_named(small_examples: Examples, tmp_path: Path) -> None:
    """With the operating system's reason."""
    with pytest.raises(DataError, match=r"pools\.json: the file cannot be read: No such file"):
        read_pools(tmp_path / "pools.json", small_examples)


def test_without_a_file_each_task_set_is_a_pool_of_all_its_models(small_examples: Examples) -> None:
    """From the smallest to the largest, so that small and large are what they say."""
    code, sums = pools_of(small_examples)

    assert (code.name, code.task_sets) == ("code", ("code",))
    assert sums.models == ("Coder-7B-Chat", "Small-7B-Chat", "Big-70B-Chat")
