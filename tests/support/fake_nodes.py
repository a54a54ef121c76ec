"""Nodes that kwok plays: nothing runs on them, and pods fare as `kwok_stages` says."""

from clusters import Cluster

CARDS = "nvidia.com/gpu"


class Nodes:
    """The nodes of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def add(self, name: str, *, cards: int = 0, **labels: str) -> None:
        """Add a node with room for anything, and so many cards."""
        metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}
        await self._cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        amounts = {"cpu": "256", "memory": "4Ti", "pods": "500", "ephemeral-storage": "4Ti", CARDS: str(cards)}
        await self._cluster.ask(
            "PATCH", f"/api/v1/nodes/{name}/status", {"status": {"capacity": amounts, "allocatable": amounts}}
        )
        # Its controller takes the taint of a node that is not ready away in its own time.
        await self._cluster.ask("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}})

    async def remove(self, name: str) -> None:
        """Remove a node."""
        await self._cluster.ask("DELETE", f"/api/v1/nodes/{name}")
