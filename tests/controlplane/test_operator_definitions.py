"""Kinds that a cluster may lack stop nothing; pools are woken when they come, and when they go."""

from typing import Any

import pytest
from clusters import Cluster, until
from control_planes import ControlPlane
from grounds import DEPLOYMENT, POOLS, Ground
from loose_definitions import definition
from operators import operator, simulated
from toy_plans import toy_plan

from chimera_operator.api.names import POOL_LABEL
from chimera_operator.cluster import mirror
from chimera_operator.planning.result import Plan
from chimera_operator.rendering.kinds import POD_MONITOR
from chimera_operator.rendering.manifest import PICKER, new

pytestmark = pytest.mark.anyio

MONITOR = POD_MONITOR.api_version, POD_MONITOR.name
DEFINITION = "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "podmonitors.monitoring.coreos.com"


def monitored(pool: Any, observed: Any, memory: Any, **kwargs: Any) -> Plan:
    """Plan a PodMonitor where there is that kind, beside what the toy plan has."""
    plan = toy_plan(pool, observed, memory, **kwargs)
    if not observed.facts.has(POD_MONITOR):
        return plan
    spec = {"selector": {"matchLabels": {POOL_LABEL: pool.metadata.name}}}
    made = new(pool, POD_MONITOR, "pool", component=PICKER, spec=spec)
    return Plan(objects=(*plan.objects, made), untouched=plan.untouched, status=plan.status, memory=memory)


async def remove(cluster: Cluster) -> None:
    if not await cluster.get(*DEFINITION):
        return
    await cluster.delete(*DEFINITION)

    async def gone() -> bool:
        return not await cluster.get(*DEFINITION)

    await until(gone)


async def test_kinds_that_come_and_go_are_followed(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs a missing kind waits for it; what was there of a kind that went is made anew when that comes back."""
    monkeypatch.setattr(mirror, "ABSENCE", 0.5)  # of the minute between two questions, for a test's patience
    await remove(cluster)
    argv = (f"--namespace={namespace}",)
    async with operator(control_plane.kubeconfig(), *argv, planner=monitored) as running:
        ground = Ground(cluster, namespace, running)
        await ground.apply(simulated())
        await ground.there(DEPLOYMENT)
        await ground.settled()

        await cluster.install([definition(POD_MONITOR)])
        await ground.there(MONITOR, "pool")

        await remove(cluster)

        async def noticed() -> bool:
            return str(POD_MONITOR) not in running.parts.reconciler.observer.facts().apis

        await until(noticed)
        await ground.apply(simulated(small=2))

        async def scaled() -> bool:
            return await ground.replicas() == 2

        await until(scaled)
        assert await ground.child(POOLS, "pool")

        await cluster.install([definition(POD_MONITOR)])
        await ground.there(MONITOR, "pool")
