"""Nodes, as far as accelerators are concerned."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chimera_operator.planning.reading.objects import items, labels_of, name_of, part
from chimera_operator.rendering.manifest import Manifest

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that have given back what they took."""


class Taint(NamedTuple):
    """What keeps pods away from a node that do not bear it."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, trimmed.

    Attributes:
        name: Its name.
        labels: Its labels.
        taints: Its taints; one that is not ready has one for that.
        schedulable: False where it is cordoned.
        allocatable: Extended resources that it has for pods, such as `nvidia.com/gpu`.
        used: How much of them pods of anybody take.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    schedulable: bool = True
    allocatable: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)

    def free(self, resource: str) -> int:
        """Return how much of a resource nobody has taken."""
        return max(0, self.allocatable.get(resource, 0) - self.used.get(resource, 0))


def nodes(manifests: Iterable[Manifest], pods: Iterable[Manifest]) -> tuple[Node, ...]:
    """Return nodes with what the pods on them take.

    Args:
        manifests: The Node objects.
        pods: Pods of anybody; those without a node or with an end do not count.
    """
    used: dict[str, Counter[str]] = {}
    for pod in pods:
        if (place := part(pod, "spec").get("nodeName")) and part(pod, "status").get("phase") not in ENDED:
            used.setdefault(place, Counter()).update(taken(pod))
    return tuple(_node(manifest, used.get(name_of(manifest), Counter())) for manifest in manifests)


def taken(pod: Manifest) -> Mapping[str, int]:
    """Return the extended resources that a pod takes: its containers', or those of an init container that has more."""
    total: Counter[str] = Counter()
    for container in items(pod, "spec", "containers"):
        total.update(_requested(container))
    for container in items(pod, "spec", "initContainers"):
        total |= Counter(_requested(container))  # one after another, so the largest counts
    return total


def _node(manifest: Manifest, used: Mapping[str, int]) -> Node:
    return Node(
        name=name_of(manifest),
        labels=labels_of(manifest),
        taints=tuple(
            Taint(each["key"], each.get("value") or "", each["effect"]) for each in items(manifest, "spec", "taints")
        ),
        schedulable=not part(manifest, "spec").get("unschedulable", False),
        allocatable=_extended(part(manifest, "status", "allocatable")),
        used=used,
    )


def _requested(container: Mapping[str, Any]) -> Mapping[str, int]:
    return _extended({**part(container, "resources", "limits"), **part(container, "resources", "requests")})


def _extended(amounts: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the extended resources of some amounts: only their names have a domain, and they are whole."""
    return {name: int(amount) for name, amount in amounts.items() if "/" in name and str(amount).isdecimal()}
