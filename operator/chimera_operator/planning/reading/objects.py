"""How this package reads Kubernetes' objects: whatever is missing in one reads as empty."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chimera_operator.rendering.manifest import Manifest


def part(manifest: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at a path, or an empty one."""
    for key in path:
        manifest = manifest.get(key) or {}
    return manifest


def items(manifest: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """Return the list of objects at a path, or an empty one."""
    *parents, last = path
    return part(manifest, *parents).get(last) or []


def name_of(manifest: Manifest) -> str:
    """Return the object's name."""
    return str(manifest["metadata"]["name"])


def labels_of(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the object's labels."""
    return part(manifest, "metadata", "labels")


def generation_of(manifest: Manifest) -> int:
    """Return how often the object's spec has changed."""
    return int(part(manifest, "metadata").get("generation", 0))


def moment(text: str | None) -> datetime | None:
    """Return the time that the API server wrote, or None where it wrote none."""
    return datetime.fromisoformat(text) if text else None


def condition(conditions: Iterable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type, or an empty one."""
    return next((found for found in conditions if found.get("type") == kind), {})
