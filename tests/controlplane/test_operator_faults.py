"""An operator goes on when the API server fails, throttles, forgets, is slow, stops and starts."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from clusters import Cluster, start, stop, until
from control_planes import ControlPlane
from fault_proxies import Fault, FaultProxy, fault_proxy
from grounds import DEPLOYMENT, POOLS, SERVICE, Ground
from operators import operator, simulated

pytestmark = pytest.mark.anyio


@pytest.fixture
async def proxy(control_plane: ControlPlane) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(control_plane) as made:
        yield made


@pytest.fixture
async def ground(proxy: FaultProxy, cluster: Cluster, namespace: str) -> AsyncIterator[Ground]:
    """Return a pool in order, whose operator asks through the proxy."""
    async with operator(proxy.kubeconfig, f"--namespace={namespace}") as running:
        made = Ground(cluster, namespace, running)
        await made.apply(simulated())
        await made.settled()
        yield made


async def scaled(ground: Ground, replicas: int) -> float:
    """Return the seconds until an edit of the pool has reached its Deployment."""
    await ground.apply(simulated(small=replicas))

    async def there() -> bool:
        return await ground.replicas() == replicas

    return await until(there, seconds=40.0)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_writes_that_fail_are_made_again(proxy: FaultProxy, ground: Ground, status: int) -> None:
    """Whatever the server says, in the end what was asked for is there, once, and the pool says nothing of it."""
    proxy.faults.append(Fault(status, 6, methods=frozenset({"PATCH"})))

    assert await scaled(ground, 3) < 20.0
    await ground.settled()

    assert proxy.failed == [status] * 6
    assert await ground.reasons() == {"Valid", "Starting"}
    deployments = await ground.cluster.list(*DEPLOYMENT, ground.namespace)
    assert len(deployments) == 1


async def test_a_throttling_server_gets_the_time_it_asks_for(proxy: FaultProxy, ground: Ground) -> None:
    """A 429 with Retry-After is obeyed."""
    proxy.faults.append(Fault(429, 1, methods=frozenset({"PATCH"}), retry_after=2))

    assert await scaled(ground, 3) >= 2.0


@pytest.mark.parametrize("status", [410, 500])
async def test_watches_that_break_are_taken_up(proxy: FaultProxy, ground: Ground, status: int) -> None:
    """A 410 or an error of etcd's in every stream: what happens afterwards is seen, and nothing is written for it."""
    before = ground.operator.api.writes
    proxy.break_watches(status)
    await asyncio.sleep(0.5)
    await ground.operator.still()
    assert ground.operator.api.writes == before

    await ground.cluster.delete(*SERVICE, ground.namespace, "pool-picker")
    await ground.there(SERVICE, "pool-picker")
    assert await scaled(ground, 2) < 10.0


async def test_a_real_expiry_is_survived(control_plane: ControlPlane, proxy: FaultProxy, ground: Ground) -> None:
    """What happened while the watches were away is found, though etcd has forgotten it."""
    proxy.faults.append(Fault(503, 10**6))
    proxy.break_watches(500)
    await ground.cluster.delete(*SERVICE, ground.namespace, "pool-picker")
    await ground.cluster.edit(*DEPLOYMENT, ground.namespace, "pool-small-00390f1f", spec={"replicas": 5})
    await asyncio.to_thread(control_plane.compact)
    proxy.faults.clear()

    async def repaired() -> bool:
        return bool(await ground.child(SERVICE, "pool-picker")) and await ground.replicas() == 1

    assert await until(repaired, seconds=30.0) < 30.0


async def test_a_slow_server_only_takes_time(proxy: FaultProxy, ground: Ground) -> None:
    """With a second before every answer nothing is written twice."""
    proxy.delay = 1.0
    before = ground.operator.api.calls.copy()

    assert await scaled(ground, 2) < 30.0
    proxy.delay = 0.0
    await ground.settled()

    made = ground.operator.api.calls - before
    assert {count for (verb, path), count in made.items() if verb == "apply" and not path.endswith("status")} == {1}


async def test_a_server_that_restarts_is_taken_up(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """After an absence the operator goes on within half a minute; it writes nothing that was right."""
    async with operator(control_plane.kubeconfig(), f"--namespace={namespace}") as running:
        ground = Ground(cluster, namespace, running)
        await ground.apply(simulated())
        await ground.settled()
        before = running.api.writes

        await stop(control_plane)
        await asyncio.sleep(3.0)
        await start(control_plane)

        assert await scaled(ground, 2) < 30.0
        await running.still()
        assert {each["metadata"]["name"] for each in await cluster.list(*SERVICE, namespace)} == {"pool-picker"}
        assert running.api.writes - before <= 5  # ConfigMap, Deployment, PooledModel and two statuses


async def test_a_server_that_is_not_there_yet_is_waited_for(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """An operator may start before its API server does."""
    metadata = {"name": "pool", "namespace": namespace}
    await cluster.apply({**simulated(), "metadata": metadata})
    await stop(control_plane)
    try:
        async with operator(control_plane.kubeconfig(), f"--namespace={namespace}") as running:
            await asyncio.sleep(2.0)
            assert len(running.parts.pools) == 0
            await start(control_plane)
            ground = Ground(cluster, namespace, running)
            await ground.there(DEPLOYMENT)
            await ground.settled()
            assert await ground.child(POOLS, "pool")
    finally:
        if not control_plane.running:
            await start(control_plane)
