"""What plans are made from is what the cluster has: nodes, who takes their accelerators, pods, warnings, Gateways."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, until
from control_planes import ControlPlane
from grounds import DEPLOYMENT, SMALL, Ground
from loose_definitions import definition
from operators import operator, simulated
from toy_plans import toy_plan

from chimera_operator.api.names import POOL_LABEL
from chimera_operator.cluster import mirror
from chimera_operator.cluster.resources import GATEWAY, GATEWAY_CLASS
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.nodes import Taint
from chimera_operator.planning.result import Plan
from chimera_operator.rendering.facts import ParentKey
from chimera_operator.rendering.manifest import MANAGED_BY_LABEL, MANAGER

pytestmark = pytest.mark.anyio

GPU = "nvidia.com/gpu"


class Looks:
    """Plans as the toy does, and remembers what each plan was made from."""

    def __init__(self) -> None:
        self.seen: list[Observed] = []

    def __call__(self, pool: Any, observed: Observed, memory: Any, **kwargs: Any) -> Plan:
        self.seen.append(observed)
        return toy_plan(pool, observed, memory, **kwargs)


class Watched:
    """A pool, its operator, and what that saw last."""

    def __init__(self, ground: Ground, looks: Looks) -> None:
        self.ground = ground
        self._looks = looks

    async def look(self) -> Observed:
        """Return what is seen now."""
        before = len(self._looks.seen)
        for name in self.ground.operator.parts.pools.names():
            self.ground.operator.parts.controller.wake(name)

        async def looked() -> bool:
            return len(self._looks.seen) > before

        await until(looked)
        return self._looks.seen[-1]

    @property
    def looks(self) -> int:
        return len(self._looks.seen)


@asynccontextmanager
async def watched(
    kubeconfig: Path, cluster: Cluster, namespace: str, *, accelerated: bool = False, **spec: Any
) -> AsyncIterator[Watched]:
    looks = Looks()
    async with operator(kubeconfig, f"--namespace={namespace}", planner=looks) as running:
        ground = Ground(cluster, namespace, running)
        document = simulated()
        if accelerated:
            document["spec"]["models"][0]["accelerators"] = [{"class": "nvidia-h100"}]
        await ground.apply({**document, "spec": {**document["spec"], **spec}})
        await ground.there(DEPLOYMENT)
        await ground.settled()
        yield Watched(ground, looks)


async def node(cluster: Cluster, name: str, gpus: int, **spec: Any) -> None:
    metadata = {"name": name, "labels": {"card": "h100"}}
    await cluster.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec})
    amounts = {"cpu": "64", GPU: str(gpus)}
    await cluster.ask(
        "PATCH", f"/api/v1/nodes/{name}/status", {"status": {"capacity": amounts, "allocatable": amounts}}
    )


async def taker(cluster: Cluster, namespace: str, name: str, place: str, gpus: int) -> None:
    """Place a pod of somebody else's on a node."""
    limits = {GPU: str(gpus)} if gpus else {"cpu": "1"}
    container = {"name": "work", "image": "none", "resources": {"limits": limits}}
    metadata = {"name": name, "namespace": namespace}
    spec = {"nodeName": place, "containers": [container], "tolerations": [{"operator": "Exists"}]}
    await cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def test_accelerators_are_counted_by_what_everybody_takes(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Pods of any namespace count where they are placed and have not ended; nodes come with labels and taints."""
    elsewhere = await cluster.namespace()
    one, two = f"{namespace}-one", f"{namespace}-two"
    await node(cluster, one, 8, taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    await node(cluster, two, 4, unschedulable=True)
    await taker(cluster, elsewhere, "a", one, 3)
    await taker(cluster, elsewhere, "b", one, 0)
    await taker(cluster, elsewhere, "done", one, 2)
    await cluster.status(elsewhere, "done", phase="Succeeded")
    async with watched(control_plane.kubeconfig(), cluster, namespace, accelerated=True) as found:
        nodes = {each.name: each for each in (await found.look()).nodes}

        assert nodes[one].free(GPU) == 5
        assert nodes[one].labels["card"] == "h100"
        assert Taint("gpu", "yes", "NoSchedule") in nodes[one].taints
        assert (nodes[one].schedulable, nodes[two].schedulable) == (True, False)
        assert set(nodes[one].allocatable) == {GPU}

        await cluster.delete_pod(elsewhere, "a")

        async def freed() -> bool:
            (seen,) = [each for each in (await found.look()).nodes if each.name == one]
            return seen.free(GPU) == 8

        assert await until(freed) < 10.0
    for name in (one, two):
        await cluster.ask("DELETE", f"/api/v1/nodes/{name}")


async def test_nodes_are_not_watched_for_pools_without_accelerators(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """A cluster of CPUs has no use for them, and its API server no work with it."""
    async with watched(control_plane.kubeconfig(), cluster, namespace) as found:
        assert (await found.look()).nodes == ()
        assert not [path for _, path in found.ground.operator.api.calls if path in {"/api/v1/nodes", "/api/v1/pods"}]


async def test_pods_of_the_pool_are_seen_and_wake_it(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Only those of the pool, as they are."""
    async with watched(control_plane.kubeconfig(), cluster, namespace) as found:
        before = found.looks
        ours = {MANAGED_BY_LABEL: MANAGER, POOL_LABEL: "pool"}
        await cluster.pod(namespace, "ours", "10.1.0.1", **ours)
        await cluster.pod(namespace, "others", "10.1.0.2", **{**ours, POOL_LABEL: "other"})
        await cluster.pod(namespace, "nobodys", "10.1.0.3")

        async def woken() -> bool:
            return found.looks > before

        await until(woken)
        (pod,) = (await found.look()).pods
        assert pod["metadata"]["name"] == "ours"
        assert pod["status"]["podIP"] == "10.1.0.1"
        assert "managedFields" not in pod["metadata"]


async def test_warnings_about_its_pods_are_seen_and_wake_it(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """A volume that cannot be mounted is told by an Event and by nothing else."""
    async with watched(control_plane.kubeconfig(), cluster, namespace) as found:
        ours = {MANAGED_BY_LABEL: MANAGER, POOL_LABEL: "pool"}
        await cluster.pod(namespace, "ours", "10.1.0.1", **ours)
        await cluster.pod(namespace, "others", "10.1.0.2")
        await found.ground.operator.still(seconds=0.3)
        before = found.looks
        for about, reason in (("ours", "FailedMount"), ("others", "FailedMount"), ("ours", "BackOff")):
            regarding = {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": about}
            await cluster.apply(
                {
                    "apiVersion": "events.k8s.io/v1",
                    "kind": "Event",
                    "metadata": {"name": f"{about}.{reason.lower()}", "namespace": namespace},
                    "eventTime": "2026-01-01T00:00:00.000000Z",
                    "reportingController": "kubelet",
                    "reportingInstance": "node",
                    "action": "Mounting",
                    "reason": reason,
                    "regarding": regarding,
                    "note": "secret missing",
                    "type": "Warning",
                }
            )

        async def woken() -> bool:
            return found.looks > before

        await until(woken)
        (warning,) = (await found.look()).events
        assert (warning["regarding"]["name"], warning["reason"]) == ("ours", "FailedMount")
        assert warning["note"] == "secret missing"


async def test_gateways_are_seen_and_wake_the_pools_that_name_them(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the controller of their class; a Gateway that a pool waits for wakes it when it comes."""
    monkeypatch.setattr(mirror, "ABSENCE", 0.5)
    await cluster.install([definition(GATEWAY), definition(GATEWAY_CLASS)])
    parent = {"parentRefs": [{"name": "front"}]}
    async with watched(control_plane.kubeconfig(), cluster, namespace, gateway=parent) as found:
        assert (await found.look()).parents == ()
        await found.ground.operator.still(seconds=0.3)
        before = found.looks

        metadata = {"name": namespace}
        spec: dict[str, Any] = {"controllerName": "example.com/gateway"}
        await cluster.apply(
            {"apiVersion": GATEWAY_CLASS.api_version, "kind": GATEWAY_CLASS.name, "metadata": metadata, "spec": spec}
        )
        metadata = {"name": "front", "namespace": namespace}
        spec = {"gatewayClassName": namespace, "listeners": []}
        await cluster.apply(
            {"apiVersion": GATEWAY.api_version, "kind": GATEWAY.name, "metadata": metadata, "spec": spec}
        )

        async def woken() -> bool:
            return found.looks > before

        await until(woken)

        async def complete() -> bool:
            return bool((await found.look()).facts.controllers)

        await until(complete)
        seen = await found.look()
        assert [each["metadata"]["name"] for each in seen.parents] == ["front"]
        assert seen.facts.controllers == {ParentKey(namespace, "front"): "example.com/gateway"}
    for name in ("gateways", "gatewayclasses"):
        await cluster.ask(
            "DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.gateway.networking.k8s.io"
        )


async def test_facts_are_the_servers(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """Its version, its kinds, and what the operator was told."""
    async with watched(control_plane.kubeconfig(), cluster, namespace) as found:
        facts = (await found.look()).facts

        assert facts.version >= (1, 30)
        assert "inference.networking.k8s.io/v1/InferencePool" in facts.apis
        assert (facts.picker_image, facts.simulator_image) == ("picker", "simulator")
        child = (await found.look()).objects
        assert {key.name for key in child if key.kind == "Deployment"} == {SMALL}
