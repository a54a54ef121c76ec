"""Where accelerators are free, now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chimera_operator.api.core import Toleration
from chimera_operator.planning.capacity.cards import Need
from chimera_operator.planning.reading.nodes import Node, Taint


@dataclass(frozen=True, slots=True)
class Room:
    """The accelerators that are free on each node.

    CPU and memory are not counted: what they forbid the scheduler says, and planning listens.
    """

    nodes: tuple[Node, ...]

    def fits(self, need: Need) -> int | None:
        """Return how many replicas more find a place; None where that cannot be told."""
        if need.resource is None:
            return None
        return sum(node.free(need.resource) // need.count for node in self._open(need))

    def taking(self, need: Need, replicas: int) -> "Room":
        """Return what is left once so many replicas have a place, as far as they find one."""
        if need.resource is None or replicas <= 0:
            return self
        nodes, left = [], replicas
        for node in self.nodes:
            here = min(left, node.free(need.resource) // need.count) if _admits(node, need) else 0
            nodes.append(_using(node, need.resource, here * need.count))
            left -= here
        return Room(tuple(nodes))

    def giving_back(self, resources: Mapping[str, int], place: str) -> "Room":
        """Return what there would be if somebody gave back such resources on a node."""
        return Room(tuple(_without(node, resources) if node.name == place else node for node in self.nodes))

    def told(self, need: Need) -> str:
        """Return in words what is free: `3 of 16 free on 2 nodes, at most 2 on one`."""
        resource = need.resource or ""
        nodes = [node for node in self._open(need) if node.allocatable.get(resource)]
        if not nodes:
            return "no node has any"
        free, total = [node.free(resource) for node in nodes], sum(node.allocatable[resource] for node in nodes)
        most = f", at most {max(free)} on one" if need.count > 1 and len(nodes) > 1 else ""
        return f"{sum(free)} of {total} free on {len(nodes)} node{'s' * (len(nodes) > 1)}{most}"

    def _open(self, need: Need) -> list[Node]:
        return [node for node in self.nodes if _admits(node, need)]


def _without(node: Node, resources: Mapping[str, int]) -> Node:
    return replace(node, used={name: used - resources.get(name, 0) for name, used in node.used.items()})


def _using(node: Node, resource: str, count: int) -> Node:
    return replace(node, used={**node.used, resource: node.used.get(resource, 0) + count})


def _admits(node: Node, need: Need) -> bool:
    labelled = all(node.labels.get(key) == value for key, value in need.selector.items())
    return node.schedulable and labelled and all(_borne(taint, need.tolerations) for taint in node.taints)


def _borne(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return taint.effect == "PreferNoSchedule" or any(_bears(toleration, taint) for toleration in tolerations)


def _bears(toleration: Toleration, taint: Taint) -> bool:
    """Return whether a toleration bears a taint, as the scheduler has it: an empty key with Exists bears all."""
    if toleration.effect not in {None, taint.effect} or toleration.key not in {None, taint.key}:
        return False
    return toleration.operator == "Exists" or (toleration.key is not None and (toleration.value or "") == taint.value)
