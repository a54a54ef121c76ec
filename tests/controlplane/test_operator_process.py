"""The operator as a process: kopf tells it of pools, one of several leads, and it stops in order."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clusters import Cluster, start, stop, until
from control_planes import ControlPlane
from fault_proxies import fault_proxy
from grounds import DEPLOYMENT, POOLS, SMALL
from operator_processes import OperatorProcess, operator_process
from operators import simulated

from chimera_operator.cluster.election import DEADLINE, DURATION, RENEWAL

pytestmark = pytest.mark.anyio

LEASE = "coordination.k8s.io/v1", "Lease", "default"


async def apply(cluster: Cluster, namespace: str, name: str = "pool", **models: int) -> None:
    document = simulated(name, **models)
    await cluster.apply({**document, "metadata": {"name": name, "namespace": namespace}})


async def replicas(cluster: Cluster, namespace: str) -> int:
    found = await cluster.get(*DEPLOYMENT, namespace, SMALL)
    return int(found["spec"]["replicas"]) if found else 0


async def scaled(cluster: Cluster, namespace: str, wanted: int, *, seconds: float = 30.0) -> float:
    await apply(cluster, namespace, small=wanted)

    async def there() -> bool:
        return await replicas(cluster, namespace) == wanted

    return await until(there, seconds=seconds)


async def lease(cluster: Cluster, name: str) -> dict[str, Any]:
    found = await cluster.get(*LEASE, name)
    return dict(found["spec"]) if found else {}


async def test_pools_are_followed_without_a_trace(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Pools that come and change are followed at once; kopf leaves no finalizer and no annotation on them."""
    async with operator_process(control_plane.kubeconfig(), f"--lease-name={namespace}") as running:
        await until(running.leads, seconds=40.0)
        assert await scaled(cluster, namespace, 1) < 5.0
        assert await scaled(cluster, namespace, 2) < 2.0

        pool = await cluster.get(*POOLS, namespace, "pool")
        assert pool is not None
        assert "finalizers" not in pool["metadata"]
        assert "annotations" not in pool["metadata"]
        writers = {each["manager"] for each in pool["metadata"]["managedFields"]}
        assert writers == {"tests", "chimera-operator"}
        log = await running.stopped()

    assert running.process.returncode == 0
    assert [line["event"] for line in log if line["level"] == "error"] == []
    assert (await lease(cluster, namespace))["holderIdentity"] == ""


async def test_only_its_namespaces_are_looked_after(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """An operator of some namespaces leaves the pools of others alone."""
    other, second = await cluster.namespace(), await cluster.namespace()
    argv = (f"--namespace={namespace}", f"--namespace={second}", f"--lease-name={namespace}")
    async with operator_process(control_plane.kubeconfig(), *argv) as running:
        await until(running.leads, seconds=40.0)
        await apply(cluster, other, small=1)
        await scaled(cluster, namespace, 1)
        await scaled(cluster, second, 1)
        assert await replicas(cluster, other) == 0
        assert await running.metric("chimera_pools") == 2

        await cluster.delete(*POOLS, second, "pool")

        async def forgotten() -> bool:
            return await running.metric("chimera_pools") == 1

        await until(forgotten)


async def test_one_leads_and_another_takes_over_from_the_dead(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Two at once work as one; when the leader is killed the other goes on within the lease's time."""
    kubeconfig, name = control_plane.kubeconfig(), f"--lease-name={namespace}"
    async with operator_process(kubeconfig, name) as first, operator_process(kubeconfig, name) as second:
        leader, standby = await _ranks(first, second)
        assert await standby.ready()
        await scaled(cluster, namespace, 1)
        await asyncio.sleep(1.0)
        assert await standby.metric("chimera_operator_writes_total") == 0
        assert await standby.metric("chimera_operator_leader") == 0

        leader.kill()
        taken_over = await until(standby.leads, seconds=DURATION + 2 * RENEWAL + 10.0)

        assert taken_over < 30.0
        assert await standby.metric("chimera_operator_writes_total") == 0
        assert await scaled(cluster, namespace, 3) < 5.0
        assert (await lease(cluster, namespace))["leaseTransitions"] == 1


async def test_a_leader_that_stops_hands_over(control_plane: ControlPlane, namespace: str) -> None:
    """After SIGTERM the other one leads as soon as it has asked."""
    kubeconfig, name = control_plane.kubeconfig(), f"--lease-name={namespace}"
    async with operator_process(kubeconfig, name) as first, operator_process(kubeconfig, name) as second:
        leader, standby = await _ranks(first, second)
        await leader.stopped()

        assert await until(standby.leads, seconds=40.0) < DURATION
        assert leader.process.returncode == 0


async def test_a_leader_that_was_frozen_writes_nothing_more(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """A process that missed its own replacement ends when it goes on, before it writes anything."""
    kubeconfig, name = control_plane.kubeconfig(), f"--lease-name={namespace}"
    async with operator_process(kubeconfig, name) as first, operator_process(kubeconfig, name) as second:
        leader, standby = await _ranks(first, second)
        await scaled(cluster, namespace, 1)
        os.kill(leader.process.pid, signal.SIGSTOP)
        await until(standby.leads, seconds=DURATION + 2 * RENEWAL + 10.0)
        assert await scaled(cluster, namespace, 2) < 5.0
        os.kill(leader.process.pid, signal.SIGCONT)

        log = await leader.ended()

    assert leader.process.returncode == 1
    assert _lost(log)
    assert await replicas(cluster, namespace) == 2


async def test_a_leader_that_loses_its_server_ends(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """It could not know whether another one leads; started again, it waits, leads and writes nothing that is right."""
    argv = (f"--lease-name={namespace}", "--identity=operator-0")
    try:
        async with operator_process(control_plane.kubeconfig(), *argv) as running:
            await until(running.leads, seconds=40.0)
            await scaled(cluster, namespace, 1)
            await stop(control_plane)
            log = await running.ended()
            assert running.process.returncode == 1
            assert _lost(log)

        async with operator_process(control_plane.kubeconfig(), *argv) as again:

            async def alive() -> bool:
                return (await again.page("/healthz"))[0] == 200

            await until(alive)
            await start(control_plane)
            assert await until(again.leads, seconds=40.0) < 30.0
            assert await again.metric("chimera_operator_writes_total") == 0
            assert await scaled(cluster, namespace, 2) < 5.0
    finally:
        if not control_plane.running:
            await start(control_plane)


async def test_a_short_absence_of_the_server_is_survived(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """An API server that restarts within the lease's deadline costs no restart of the operator."""
    name = f"--lease-name={namespace}"
    async with fault_proxy(control_plane) as proxy, operator_process(proxy.kubeconfig, name) as running:
        await until(running.leads, seconds=40.0)
        proxy.away = True
        proxy.break_watches(500)
        await asyncio.sleep(DEADLINE - RENEWAL - 2.0)
        proxy.away = False
        assert await scaled(cluster, namespace, 1) < 30.0
        assert running.process.returncode is None


@pytest.mark.parametrize("status", [500, 410])
async def test_an_error_in_the_watch_of_pools_is_survived(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, status: int
) -> None:
    """Kopf ends where a watch reports an error; it is started again, and pools that went meanwhile are found gone."""
    argv = (f"--lease-name={namespace}", f"--namespace={namespace}", "--resync=5")
    async with fault_proxy(control_plane) as proxy, operator_process(proxy.kubeconfig, *argv) as running:
        await until(running.leads, seconds=40.0)
        await scaled(cluster, namespace, 1)
        await apply(cluster, namespace, "other", small=1)

        async def pools(number: float) -> bool:
            return await running.metric("chimera_pools") == number

        await until(partial(pools, 2))
        proxy.away = True
        proxy.break_watches(status)
        await cluster.delete(*POOLS, namespace, "other")
        await asyncio.sleep(1.0)
        proxy.away = False

        await until(partial(pools, 1), seconds=30.0)
        assert await scaled(cluster, namespace, 2) < 30.0

        async def ended() -> bool:
            watch = {"resource": "heterogeneousmodelpools", "reason": "WatchingError"}
            return await running.metric("chimera_operator_watch_interruptions_total", **watch) == 1

        if status == 500:
            await until(ended)
        assert await scaled(cluster, namespace, 3) < 30.0


async def test_without_credentials_it_says_so(tmp_path: Path) -> None:
    """A kubeconfig that is none ends the process with one line and status 2."""
    bad = tmp_path / "kubeconfig"
    bad.write_text("secret: [")
    async with operator_process(bad) as running:
        _, stderr = await asyncio.wait_for(running.process.communicate(), 30)

    assert running.process.returncode == 2
    text = stderr.decode()
    assert text == f"chimera-operator: {bad}: no credentials of an API server (ConfigException)\n" or "(" in text
    assert "secret" not in text


def _lost(log: list[dict[str, Any]]) -> bool:
    """Return whether an operator ended for want of its lease, and for nothing else."""
    return all(why.startswith("LeaseLost ") for why in log[-1]["why"])


async def _ranks(*operators: OperatorProcess) -> tuple[OperatorProcess, OperatorProcess]:
    """Return the leader and the one that waits."""
    found: list[OperatorProcess] = []

    async def one() -> bool:
        found[:] = [each for each in operators if await each.leads()]
        return len(found) == 1 and all([(await each.page("/healthz"))[0] == 200 for each in operators])

    await until(one, seconds=60.0)
    (standby,) = [each for each in operators if each is not found[0]]
    return found[0], standby
