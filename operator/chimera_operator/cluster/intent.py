"""What an object should be, held against what it is. Pure.

An object carries the digest of what it was last told to be. Where that is what it should be now, and everything it
should be is there, nothing has to be written: this needs no memory, so it also holds right after a restart.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from chimera_operator.cluster.quantities import amount
from chimera_operator.rendering.manifest import Manifest

INTENT = "chimera.dev/intent"
"""Annotation with the digest of what an object was told to be."""

_DIGITS = 32  # hexadecimal, of a digest: 128 bits

_QUANTITIES = frozenset({"limits", "requests", "sizeLimit"})
"""Fields whose values, or whose members' values, are quantities; the API server spells them in its own way."""

_SHARED = frozenset(
    {
        "containers",
        "env",
        "imagePullSecrets",
        "initContainers",
        "ownerReferences",
        "ports",
        "topologySpreadConstraints",
        "volumeMounts",
        "volumes",
    }
)
"""Lists whose items have keys and owners of their own: what somebody else adds, such as a sidecar, is theirs."""


def stamped(intent: Manifest) -> Manifest:
    """Return the object with the annotation that says what it was told to be."""
    metadata = intent["metadata"]
    annotations = {**metadata.get("annotations", {}), INTENT: digest(intent)}
    return {**intent, "metadata": {**metadata, "annotations": annotations}}


def digest(intent: Manifest) -> str:
    """Return what tells this intent from every other."""
    text = json.dumps(intent, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def told(live: Manifest) -> str:
    """Return the digest of what an object was last told to be; empty where it was told nothing."""
    annotations: Mapping[str, str] = live["metadata"].get("annotations") or {}
    return annotations.get(INTENT, "")


def missing(live: Manifest, intent: Manifest) -> str | None:
    """Return the path of the first thing of the intent that the object does not have; None where it has all."""
    path = _missing(live, intent, "")
    return None if path is None else path.removeprefix(".")


def _missing(live: Any, intent: Any, field: str) -> str | None:
    if isinstance(live, Mapping) and isinstance(intent, Mapping):
        paths = ((key, _missing(live.get(key), wanted, _field(field, key))) for key, wanted in intent.items())
        return next((f".{key}{path}" for key, path in paths if path is not None), None)
    if isinstance(live, list) and isinstance(intent, list):
        return None if _has_items(live, intent, field) else ""
    return None if (live is None and intent in ({}, [], None)) or _same(live, intent, field) else ""


def _field(above: str, key: str) -> str:
    """Return the field whose rules hold for a value: amounts stand below the field that makes them amounts."""
    return above if above in _QUANTITIES else key


def _has_items(live: Sequence[Any], intent: Sequence[Any], field: str) -> bool:
    if field in _SHARED:
        return all(any(_missing(found, item, field) is None for found in live) for item in intent)
    pairs = zip(live, intent, strict=False)
    return len(live) == len(intent) and all(_missing(found, item, field) is None for found, item in pairs)


def _same(live: Any, intent: Any, field: str) -> bool:
    if live == intent and isinstance(live, bool) == isinstance(intent, bool):
        return True
    wanted = amount(intent) if field in _QUANTITIES else None
    return wanted is not None and wanted == amount(live)
