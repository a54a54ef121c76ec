"""Who leads, told from a Lease. Pure.

A lease is given up by its holder, or runs out where nobody has seen it renewed for its duration. That is measured on
the observer's own monotonic clock from when the record last changed: clocks of different machines are never compared.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from chimera_operator.rendering.manifest import Manifest

DURATION = 15  # seconds without a sign of the leader until another takes over, as for Kubernetes' own controllers
DEADLINE = 10.0  # seconds without a renewal after which a leader must not write: it stops before anybody takes over
RENEWAL = 4.0  # seconds between renewals: two may fail before the deadline
RETRY = 1.0  # seconds after one that failed

_KEPT = ("annotations", "finalizers", "labels", "ownerReferences")  # of the metadata, what an update has to repeat

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A lease's record, and when it was first seen as it is.

    Attributes:
        version: Resource version of the record.
        holder: Who has it; empty for nobody.
        duration: Seconds that it lasts after a renewal.
        transitions: How often it changed hands.
        seen_at: Seconds on the observer's clock.
        kept: What others have set in its metadata, such as Helm its labels; an update without them removes them.
    """

    version: str
    holder: str
    duration: float
    transitions: int
    seen_at: float
    kept: Manifest = field(default_factory=dict)

    def free(self, identity: str, now: float) -> bool:
        """Return whether this candidate may take it."""
        return self.holder in {"", identity} or now >= self.seen_at + self.duration


def sighted(lease: Manifest, before: Sighting | None, now: float) -> Sighting:
    """Return what a lease says; one that has not changed was seen when it was first seen."""
    spec, metadata = lease.get("spec") or {}, lease["metadata"]
    version = metadata["resourceVersion"]
    return Sighting(
        version=version,
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        transitions=int(spec.get("leaseTransitions") or 0),
        seen_at=before.seen_at if before is not None and before.version == version else now,
        kept={key: metadata[key] for key in _KEPT if key in metadata},
    )


def record(identity: str, before: Sighting | None, *, acquired: datetime, now: datetime) -> Manifest:
    """Return the spec of a lease that this candidate holds.

    Args:
        identity: The candidate's.
        before: The record that this one replaces.
        acquired: When the candidate became the leader.
        now: The time of this renewal.
    """
    transitions = 0 if before is None else before.transitions + (before.holder != identity)
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": DURATION,
        "acquireTime": acquired.astimezone(UTC).strftime(_TIME),
        "renewTime": now.astimezone(UTC).strftime(_TIME),
        "leaseTransitions": transitions,
    }


def given_up(before: Sighting, *, now: datetime) -> Manifest:
    """Return the spec of a lease that its holder gives up: free at once, as client-go leaves it."""
    time = now.astimezone(UTC).strftime(_TIME)
    return {
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "acquireTime": time,
        "renewTime": time,
        "leaseTransitions": before.transitions,
    }
