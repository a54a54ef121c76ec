"""The pickers: how they stand, and whether models wait until they have been replaced.

A new picker comes before new engines, since it knows the old ones too, and an old one may not know the new ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.status import PickerStatus
from chimera_operator.planning.causes.cause import Cause, Expected
from chimera_operator.planning.causes.creation import creation_cause
from chimera_operator.planning.causes.pods import about, pod_cause
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.deployments import Deployment, deployment
from chimera_operator.planning.reading.objects import items, part
from chimera_operator.planning.reading.pods import Pod, pod
from chimera_operator.rendering.kinds import DEPLOYMENT
from chimera_operator.rendering.manifest import Manifest, ObjectKey, key_of, namespace
from chimera_operator.rendering.picker.names import picker_name

STARTUP = timedelta(minutes=5)
"""What a picker may take until it decides; its startup probe gives it as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickers:
    """The pool's pickers.

    Attributes:
        key: Of their Deployment.
        deployment: The Deployment, where there is one.
        pods: Their pods.
        causes: Why some do not decide.
    """

    key: ObjectKey
    deployment: Deployment | None = None
    pods: tuple[Pod, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def serving(self) -> int:
        """Pickers that decide."""
        return sum(each.serving for each in self.pods)

    @property
    def rolling(self) -> bool:
        """Whether they are being replaced, and it goes on: Kubernetes' own deadline ends it."""
        return self.deployment is not None and not (self.deployment.settled or self.deployment.stalled)

    @property
    def status(self) -> PickerStatus:
        """Their part of the pool's status."""
        return PickerStatus(replicas=sum(each.active for each in self.pods), ready_replicas=self.serving)

    def come_first(self, rendered: Iterable[Manifest], *, news: bool) -> bool:
        """Return whether models wait for them.

        Args:
            rendered: What the pool is about to become.
            news: Whether the pool's spec has changed since it was last looked at: only then both change in one plan.
        """
        if self.deployment is None:
            return False
        told = next((manifest for manifest in rendered if key_of(manifest) == self.key), None)
        return self.rolling or (news and told is not None and _program(told) != _program(self.deployment.manifest))


def pickers(pool: HeterogeneousModelPool, observed: Observed, *, now: datetime) -> Pickers:
    """Return the pool's pickers."""
    key = ObjectKey(DEPLOYMENT.api_version, DEPLOYMENT.name, namespace(pool), picker_name(pool))
    found = deployment(observed.objects[key]) if key in observed.objects else None
    pods = tuple(each for each in map(pod, observed.pods) if not each.model)
    return Pickers(key=key, deployment=found, pods=pods, causes=tuple(_causes(found, pods, observed.events, now)))


def _causes(
    found: Deployment | None, pods: Sequence[Pod], events: Sequence[Manifest], now: datetime
) -> Iterator[Cause]:
    expected = Expected(startup=STARTUP, now=now)
    if found and (refused := creation_cause(found)):
        yield refused
    for each in pods:
        if each.active and (cause := pod_cause(each, expected, list(about(events, each.name)))):
            yield cause


def _program(manifest: Manifest) -> list[tuple[object, ...]]:
    """Return what decides whether an old picker understands what a new one does: its image and arguments."""
    containers = items(part(manifest, "spec", "template"), "spec", "containers")
    return [(each.get("image"), each.get("command"), each.get("args")) for each in containers]
