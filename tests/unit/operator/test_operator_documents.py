"""Pool files: what is read, and what a bad one is told."""

from pathlib import Path

import pytest
import yaml
from pool_documents import pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pool
from chimera_operator.local.documents import load_pool, sample_pool, with_routing
from chimera_operator.local.errors import PoolFileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.yaml"


def test_the_sample_is_a_pool_of_three() -> None:
    """The packaged sample loads, and its models are the demo's."""
    pool = load_pool(sample_pool())

    assert [model.name for model in pool.spec.models] == ["code-qwen-7b", "llama-3-8b", "llama-3-70b"]


def test_json_is_yaml_too(file: Path) -> None:
    """A pool printed by an API server as JSON loads as it is."""
    file.write_text('{"apiVersion": "chimera.dev/v1alpha1", "kind": "HeterogeneousModelPool"}')

    with pytest.raises(PoolFileError, match="metadata: is required"):
        load_pool(file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("spec: [", "line 1, column 8: expected the node content, but found '<stream end>'"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        ("a: 1\nb: 2\na: 3", 'line 3, column 1: key "a" is given twice'),
        ("a: 1\n---\nb: 2", "line 2, column 1: but found another document"),
        ("a: !!python/name:os.system", "line 1, column 4: could not determine a constructor for the tag "),
        ("? [a]\n: 1", "line 1, column 3: found unhashable key"),
        ("a: \x00", "is no YAML document"),
        ("", "document: must be an object"),
    ],
    ids=["cut off", "two values", "key twice", "two documents", "python object", "list as key", "binary", "empty"],
)
def test_bad_yaml_is_told_with_its_place(file: Path, text: str, line: str) -> None:
    """One line: the file, where in it, and what is wrong."""
    file.write_text(text)

    with pytest.raises(PoolFileError) as error:
        load_pool(file)

    assert str(error.value).startswith(f"{file}: {line}")
    assert "\n" not in str(error.value)


def test_a_broken_rule_is_told_with_the_file(file: Path) -> None:
    """The path in the document follows the path of the file."""
    file.write_text(yaml.safe_dump(pool_document() | {"kind": "Pod"}))

    with pytest.raises(PoolFileError) as error:
        load_pool(file)

    assert str(error.value) == f"{file}: kind: must be 'HeterogeneousModelPool'"


def test_a_step_time_nobody_knows_is_found_when_the_file_is_read(file: Path) -> None:
    """What rendering needs is asked for before anything starts."""
    file.write_text(yaml.safe_dump(pool_document({"name": "m"})))

    with pytest.raises(PoolFileError, match=r"spec.models\[0\].accelerators: is required"):
        load_pool(file)


def test_a_missing_file_is_named(file: Path) -> None:
    """The error is the system's, in one line."""
    with pytest.raises(PoolFileError) as error:
        load_pool(file)

    assert str(error.value) == f"{file}: No such file or directory"


def test_a_relative_bundle_lies_beside_the_pool_file(file: Path) -> None:
    """Where a command is run from does not matter."""
    file.write_text(yaml.safe_dump(pool_document(routing={"bundle": {"path": "bundles/a", "sha256": "0" * 64}})))

    bundle = load_pool(file).spec.routing.bundle

    assert (bundle.path, bundle.sha256) == (str(file.parent / "bundles" / "a"), "0" * 64)


def test_another_routing_changes_nothing_else() -> None:
    """Fields that are not given stay, and so does the rest of the pool."""
    pool = load_pool(sample_pool())

    other = with_routing(pool, {"policy": "Static", "staticModel": "llama-3-8b"})

    assert (other.spec.routing.policy, other.spec.routing.static_model) == ("Static", "llama-3-8b")
    assert other.spec.routing.aging_rate == pool.spec.routing.aging_rate
    assert other.spec.models == pool.spec.models


def test_another_routing_keeps_the_rules() -> None:
    """A policy without its model is refused as in a file."""
    with pytest.raises(PoolError, match=r"^spec.routing.staticModel: must name a model of the pool: small, large$"):
        with_routing(parse_pool(pool_document()), {"policy": "Static"})
