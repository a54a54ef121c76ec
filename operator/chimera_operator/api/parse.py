"""From a document, as YAML or the API server gives it, to a resource whose rules all hold."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from chimera_operator.api.document import Document
from chimera_operator.api.errors import PoolError, first_broken_rule
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.pool_spec import NEEDS_SOURCE
from chimera_operator.api.pooled_model import PooledModel

TAKEN_WHOLE = frozenset({"scaling"})
"""Objects whose fields exclude one another: one of a model's own replaces the default's, it does not join it."""

_Parsed = TypeVar("_Parsed", bound=Document)


def parse_pool(document: Any) -> HeterogeneousModelPool:
    """Return the pool of a document, with `spec.defaults` merged under each model.

    Raises:
        PoolError: The document breaks a rule; names the first.
    """
    return _parsed(with_defaults(document), HeterogeneousModelPool)


def parse_resource(document: Any) -> HeterogeneousModelPool:
    """Return the pool of an object in a cluster, where nobody says for each run what serves a model.

    Raises:
        PoolError: The document breaks a rule; names the first.
    """
    pool = parse_pool(document)
    for index, model in enumerate(pool.spec.models):
        if model.source is None and model.engine.type != "Simulator":
            raise PoolError(f"spec.models[{index}].source", NEEDS_SOURCE)
    return pool


def parse_pooled_model(document: Any) -> PooledModel:
    """Return the PooledModel of an object.

    Raises:
        PoolError: The document breaks a rule; names the first.
    """
    return _parsed(document, PooledModel)


def with_defaults(document: Any) -> Any:
    """Return the document with `spec.defaults` merged under each model; whatever has the wrong shape stays as it is."""
    match document:
        case {"spec": {"defaults": Mapping() as defaults, "models": list(models)} as spec}:
            merged = [_merged(defaults, model) if isinstance(model, Mapping) else model for model in models]
            return {**document, "spec": {**spec, "models": merged}}
        case _:
            return document


def _merged(defaults: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _field(key, defaults, model) for key in {**defaults, **model}}


def _field(key: str, defaults: Mapping[str, Any], model: Mapping[str, Any]) -> Any:
    default, own = defaults.get(key), model.get(key, defaults.get(key))
    if key not in TAKEN_WHOLE and isinstance(default, Mapping) and isinstance(own, Mapping):
        return {**default, **own}
    return own


def _parsed(document: Any, kind: type[_Parsed]) -> _Parsed:
    try:
        # Through JSON: only there does strict mode still take an array for a tuple.
        return kind.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        raise first_broken_rule(error, kind) from None
