"""From a document, as YAML or the API server gives it, to a pool whose rules all hold."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from chimera_operator.api.errors import first_broken_rule
from chimera_operator.api.pool import HeterogeneousModelPool


def parse_pool(document: Any) -> HeterogeneousModelPool:
    """Return the pool of a document, with `spec.defaults` merged under each model.

    Raises:
        PoolError: The document breaks a rule; names the first.
    """
    try:
        # Through JSON: only there does strict mode still take an array for a tuple.
        return HeterogeneousModelPool.model_validate_json(json.dumps(with_defaults(document), default=str))
    except ValidationError as error:
        raise first_broken_rule(error, HeterogeneousModelPool) from None


def with_defaults(document: Any) -> Any:
    """Return the document with `spec.defaults` merged under each model; whatever has the wrong shape stays as it is."""
    match document:
        case {"spec": {"defaults": Mapping() as defaults, "models": list(models)} as spec}:
            merged = [_merged(defaults, model) if isinstance(model, Mapping) else model for model in models]
            return {**document, "spec": {**spec, "models": merged}}
        case _:
            return document


def _merged(defaults: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _under(defaults.get(key), model.get(key, defaults.get(key))) for key in {**defaults, **model}}


def _under(default: Any, value: Any) -> Any:
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return {**default, **value}
    return value
