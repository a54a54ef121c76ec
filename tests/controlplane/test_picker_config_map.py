"""A picker whose configuration is a ConfigMap: swapped whole or not at all, waited for where it is not there yet."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cluster_pickers import ClusterPicker, cluster_picker, config
from clusters import Cluster, start, stop, until
from control_planes import ControlPlane
from engines import engine

pytestmark = pytest.mark.anyio


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """Return a namespace with a configuration and a pool that has no pods."""
    namespace = await cluster.namespace()
    await cluster.pool(namespace, 8000, app="engines")
    await cluster.config_map(namespace, "router", router_json=config(namespace))
    return namespace


@pytest.fixture
async def picker(control_plane: ControlPlane, namespace: str) -> AsyncIterator[ClusterPicker]:
    async with cluster_picker(control_plane.kubeconfig(), f"{namespace}/router") as running:
        await until(running.serving)
        yield running


async def test_good_configuration_is_swapped(cluster: Cluster, namespace: str, picker: ClusterPicker) -> None:
    """A new policy in the ConfigMap takes hold without a restart, and is counted."""
    assert (await picker.status())["policy"] == "marginal"

    await cluster.config_map(namespace, "router", router_json=config(namespace, routing={"roundRobin": {}}))

    async def swapped() -> bool:
        return bool((await picker.status())["policy"] == "round-robin")

    await until(swapped)
    assert await picker.metric("chimera_config_reloads_total", file="config", result="applied") == 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"router_json": '{"pool": "canary"}'}, id="it breaks a rule"),
        pytest.param({"router_json": "canary"}, id="it is no JSON"),
        pytest.param({"router_yaml": "pool: canary"}, id="it has no such key"),
    ],
)
async def test_bad_configuration_changes_nothing(
    cluster: Cluster, namespace: str, picker: ClusterPicker, data: dict[str, str]
) -> None:
    """A ConfigMap that breaks a rule is refused whole: the old one stays, a metric and the log say so."""
    before = _settled(await picker.status())

    await cluster.config_map(namespace, "router", **data)

    async def refused() -> bool:
        return await picker.metric("chimera_config_reloads_total", file="config", result="refused") == 1

    await until(refused)
    assert _settled(await picker.status()) == before
    picker.process.terminate()
    log = await picker.ended()
    assert f"ConfigMap {namespace}/router: " in log
    assert "canary" not in log


async def test_configuration_is_waited_for(control_plane: ControlPlane, cluster: Cluster) -> None:
    """A picker that starts before its ConfigMap is there serves as soon as it is."""
    namespace = await cluster.namespace()
    await cluster.pool(namespace, 8000, app="engines")
    async with cluster_picker(control_plane.kubeconfig(), f"{namespace}/router") as running:
        await asyncio.wait_for(_said(running, b"configuration not found"), 20)

        await cluster.config_map(namespace, "router", router_json=config(namespace))

        await until(running.serving)


async def test_pool_is_waited_for(control_plane: ControlPlane, cluster: Cluster) -> None:
    """A picker is not ready before its InferencePool is there, for it knows no endpoints until then."""
    namespace = await cluster.namespace()
    await cluster.config_map(namespace, "router", router_json=config(namespace))
    async with cluster_picker(control_plane.kubeconfig(), f"{namespace}/router") as running:
        await asyncio.wait_for(_said(running, b"serving"), 20)
        ready_without = await running.serving()

        await cluster.pool(namespace, 8000, app="engines")

        await until(running.serving)
    assert not ready_without


async def test_picker_that_waits_can_be_stopped(control_plane: ControlPlane, cluster: Cluster) -> None:
    """SIGTERM ends a picker that has no configuration yet, in order."""
    namespace = await cluster.namespace()
    async with cluster_picker(control_plane.kubeconfig(), f"{namespace}/router") as running:
        await asyncio.wait_for(_said(running, b"configuration not found"), 20)

        running.process.send_signal(signal.SIGTERM)
        await running.ended()

        assert running.process.returncode == 0


async def test_first_configuration_must_be_good(control_plane: ControlPlane, cluster: Cluster) -> None:
    """A picker whose first configuration breaks a rule exits 2 and names ConfigMap, place and rule."""
    namespace = await cluster.namespace()
    await cluster.config_map(namespace, "router", router_json=config(namespace, models=[]))

    async with cluster_picker(control_plane.kubeconfig(), f"{namespace}/router") as running:
        last = (await running.ended()).strip().splitlines()[-1]

    assert running.process.returncode == 2
    assert last == f"chimera-router: ConfigMap {namespace}/router: models: at least one is needed"


async def test_endpoints_follow_the_configuration(cluster: Cluster, namespace: str, picker: ClusterPicker) -> None:
    """A configuration that names another pool takes its endpoints from there."""
    async with engine("small") as address:
        ip, _, port = address.partition(":")
        await cluster.pool(namespace, int(port), name="other", app="others")
        await cluster.pod(namespace, "a", ip, app="others")
        assert await picker.endpoints() == (0, 0)

        await cluster.config_map(namespace, "router", router_json=config(namespace, pool="other"))

        async def found() -> bool:
            return await picker.endpoints() == (1, 1)

        await until(found)


async def test_picker_outlives_the_api_server(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, picker: ClusterPicker
) -> None:
    """While the API server is away the picker serves by what it knows; afterwards it follows again."""
    async with engine("small") as address:
        ip, _, port = address.partition(":")
        await cluster.pool(namespace, int(port), app="engines")
        await cluster.pod(namespace, "a", ip, app="engines")

        async def found() -> bool:
            return await picker.endpoints() == (1, 1)

        await until(found)
        await stop(control_plane)

        async def noticed() -> bool:
            errors = [
                await picker.metric("chimera_discovery_errors_total", reason="unreachable", resource=each)
                for each in ("pods", "inferencepools", "configmaps")
            ]
            return min(errors) >= 1

        await until(noticed)
        assert await picker.endpoints() == (1, 1)
        await start(control_plane)
        await cluster.config_map(namespace, "router", router_json=config(namespace, routing={"roundRobin": {}}))

        async def swapped() -> bool:
            return bool((await picker.status())["policy"] == "round-robin")

        await until(swapped)
        assert await picker.endpoints() == (1, 1)


async def _said(running: ClusterPicker, event: bytes) -> None:
    """Wait until the process has logged an event."""
    assert running.process.stderr is not None
    async for line in running.process.stderr:
        if event in json.loads(line)["event"].encode():
            return


def _settled(status: dict[str, Any]) -> dict[str, Any]:
    """Return a status page without its clocks."""
    models = [{key: told for key, told in model.items() if key != "idle_seconds"} for model in status["models"]]
    return {**status, "models": models, "uptime_seconds": None}
