"""The pool that is picked from: three models on four stand-ins, with the default bundle predicting for all of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chimera_operator.rendering.envoy import LOOPBACK

POOL = "bench"
CONFIG, ENDPOINTS = "router.json", "endpoints.json"

_SLOTS, _KV_TOKENS = 256, 500_000  # of each engine: more than any of these loads takes

# By model: its name in the bundle; a step in ms; what a sequence adds to it and a prompt's token takes, in µs.
_MODELS: Mapping[str, tuple[str, float, float, float]] = {
    "small": ("CodeQwen1.5-7B-Chat", 7, 30, 20),
    "mid": ("Meta-Llama-3-8B-Instruct", 8, 30, 20),
    "large": ("Meta-Llama-3-70B-Instruct", 20, 60, 80),
}
PLACES = ("small", "small", "mid", "large")
"""The model on each engine."""


def config(accounting: str = "OBSERVE", **changes: Any) -> str:
    """Return a RouterConfig.

    Args:
        accounting: A mode of `Accounting`.
        changes: Fields in place of those that it has, or beside them.
    """
    document = {
        "pool": POOL,
        "models": [_model(name) for name in _MODELS],
        "discovery": {"file": {"path": ENDPOINTS}},
        "accounting": {"mode": accounting},
    }
    return json.dumps(document | changes)


def endpoints(ports: Sequence[int], models: Sequence[str] = PLACES) -> str:
    """Return the list of endpoints, `e0` first; the models take turns."""
    listed = [
        {"name": f"e{number}", "address": f"{LOOPBACK}:{port}", "model": models[number % len(models)]}
        for number, port in enumerate(ports)
    ]
    return json.dumps({"endpoints": listed})


def _model(name: str) -> dict[str, Any]:
    trained_as, base, each, prefill = _MODELS[name]
    coefficients = {
        "baseStepMs": base,
        "stepPerSequenceUs": each,
        "prefillUsPerToken": prefill,
        "maxNumSeqs": _SLOTS,
        "kvTokens": _KV_TOKENS,
    }
    return {"name": name, "descriptor": {"trainedAs": trained_as}, "coefficients": coefficients}
