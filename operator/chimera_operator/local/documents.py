"""Pool files: read one, find the sample, and the same pool under another routing."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pool
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.errors import PoolFileError
from chimera_operator.rendering.router_config import step_times

SAMPLE = "local-three-models.yaml"


def load_pool(path: Path) -> HeterogeneousModelPool:
    """Return the pool of a YAML or JSON file.

    Raises:
        PoolFileError: The file cannot be read, is no YAML, or its pool breaks a rule.
    """
    document = load_document(path)
    try:
        pool = parse_pool(document)
        step_times(pool)
    except PoolError as error:
        raise PoolFileError(f"{path}: {error}") from None
    return _anchored(pool, path.absolute().parent)


def load_document(path: Path) -> Any:
    """Return what a YAML or JSON file says, whatever that is.

    Raises:
        PoolFileError: The file cannot be read, or is no YAML.
    """
    try:
        return yaml.load(path.read_bytes(), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise PoolFileError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise PoolFileError(f"{path}: {_yaml_rule(error)}") from None


def with_routing(pool: HeterogeneousModelPool, routing: Mapping[str, Any]) -> HeterogeneousModelPool:
    """Return the pool with fields of `spec.routing` replaced, by their names in the document.

    Raises:
        PoolError: The result breaks a rule.
    """
    document = pool.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["spec"]["routing"] |= routing
    return parse_pool(document)


def sample_pool() -> Path:
    """Return the sample of three models: beside this file in an installed package, in `manifests/` in a checkout."""
    here = Path(__file__).parent
    packaged = here / "samples" / SAMPLE
    return packaged if packaged.exists() else here.parents[2] / "manifests" / "samples" / SAMPLE


def _anchored(pool: HeterogeneousModelPool, folder: Path) -> HeterogeneousModelPool:
    """Return the pool with a relative bundle path taken from the pool file's folder."""
    bundle = pool.spec.routing.bundle.model_dump(exclude_none=True)
    return with_routing(pool, {"bundle": {**bundle, "path": str(folder / bundle["path"])}}) if bundle["path"] else pool


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice, where plain PyYAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the mapping of a node, its keys unique."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f'key "{key.value}" is given twice', problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _yaml_rule(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "is no YAML document"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem
