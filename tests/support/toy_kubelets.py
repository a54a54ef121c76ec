"""Nodes on which nothing really runs: a pod is ready as soon as it has been placed, or fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from clusters import Cluster
from kubernetes.aio import client

from chimera_operator.api.names import MODEL_LABEL

CARDS = "nvidia.com/gpu"
_addresses = ip_network("10.20.0.0/16").hosts()


class Nodes:
    """The nodes, and what goes on on them in one namespace.

    Attributes:
        broken: Models whose engines end at once, and with which exit code.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.broken: dict[str, int] = {}
        self._cluster = cluster
        self._namespace = namespace

    async def add(self, name: str, *, cards: int = 0, **labels: str) -> None:
        """Add a node."""
        metadata = {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}
        await self._cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        amounts = {"cpu": "256", "memory": "4Ti", "pods": "500", "ephemeral-storage": "4Ti", CARDS: str(cards)}
        status = {"capacity": amounts, "allocatable": amounts, "conditions": [_condition("Ready", now=_now())]}
        await self._cluster.ask("PATCH", f"/api/v1/nodes/{name}/status", {"status": status})
        await self._cluster.ask("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}})

    async def remove(self, name: str) -> None:
        """Remove a node."""
        await self._cluster.ask("DELETE", f"/api/v1/nodes/{name}")

    async def run(self) -> None:
        """Do to pods what kubelets would, for ever."""
        while True:
            for pod in await self._cluster.list("v1", "Pod", self._namespace):
                with suppress(client.ApiException):  # it has changed or gone meanwhile, and is looked at again
                    await self._tend(pod)
            await asyncio.sleep(0.05)

    async def _tend(self, pod: dict[str, Any]) -> None:
        metadata, status = pod["metadata"], pod.get("status", {})
        if not pod["spec"].get("nodeName"):
            return
        if "deletionTimestamp" in metadata:
            await self._cluster.delete_pod(self._namespace, metadata["name"])
        elif status.get("phase") == "Pending":
            code = self.broken.get(metadata["labels"].get(MODEL_LABEL, ""))
            await self._cluster.status(self._namespace, metadata["name"], **_running(pod, code))


@asynccontextmanager
async def nodes(cluster: Cluster, namespace: str) -> AsyncIterator[Nodes]:
    """Run what goes on on nodes; there are none to begin with."""
    made = Nodes(cluster, namespace)
    task = asyncio.ensure_future(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _running(pod: dict[str, Any], code: int | None) -> dict[str, Any]:
    """Return the status of a pod that runs, or whose containers have ended."""
    now, ip = _now(), str(next(_addresses))
    ended = {"exitCode": code, "reason": "Error", "startedAt": now, "finishedAt": now}
    state = {"running": {"startedAt": now}} if code is None else {"terminated": ended}
    containers = [
        {"name": each["name"], "image": each["image"], "imageID": "", "ready": code is None, "restartCount": 0}
        for each in pod["spec"]["containers"]
    ]
    ready = "True" if code is None else "False"
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [_condition(kind, ready, now) for kind in ("ContainersReady", "Ready")],
        "containerStatuses": [{**each, "started": code is None, "state": state} for each in containers],
    }


def _condition(kind: str, status: str = "True", now: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "Toy", "lastTransitionTime": now}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
