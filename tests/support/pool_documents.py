"""Pool documents for tests: a small valid one, and ways to alter it."""

from typing import Any

COEFFICIENTS = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}


def model_document(name: str, **fields: Any) -> dict[str, Any]:
    """Return a model whose step time is given, so that nothing has to be estimated."""
    return {"name": name, "engine": {"kvTokens": 100_000}, "coefficients": COEFFICIENTS, **fields}


def pool_document(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a pool of these models, or of `small` and `large`."""
    return {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "metadata": {"name": "pool"},
        "spec": {"models": list(models) or [model_document("small"), model_document("large")], **spec},
    }
