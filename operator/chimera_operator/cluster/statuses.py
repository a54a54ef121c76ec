"""Status as the API server keeps it, and what the operator itself has to add to a plan's. Pure."""

import json
from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError

from chimera_operator.api.conditions import LONGEST_MESSAGE, Finding
from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.reading.objects import condition, items, part
from chimera_operator.rendering.manifest import Manifest


def plain(status: BaseModel) -> Manifest:
    """Return a status as plain data."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def read(pool: Manifest) -> PoolStatus | None:
    """Return the status that a pool has; None where it has none that can be read."""
    try:
        return PoolStatus.model_validate_json(json.dumps(pool.get("status") or {}))
    except ValidationError:
        return None


def with_finding(status: Manifest, found: Finding, *, live: Manifest, now: datetime) -> Manifest:
    """Return a status with one condition in place of what it says of that type.

    Args:
        status: The status.
        found: What the condition is to say.
        live: The object, for its generation, and for when the condition last changed.
        now: The time.
    """
    others = [each for each in items(status, "conditions") if each.get("type") != found.type]
    before = condition(items(live, "status", "conditions"), found.type)
    same = before.get("status") == found.status
    changed = before["lastTransitionTime"] if same else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    generation = part(live, "metadata").get("generation", 0)
    made = {
        "type": str(found.type),
        "status": found.status,
        "reason": found.reason,
        "message": found.message[:LONGEST_MESSAGE],
        "observedGeneration": generation,
        "lastTransitionTime": changed,
    }
    return {**status, "observedGeneration": generation, "conditions": [*others, made]}
