"""Children of a pool are what they should be, and are written only where they are not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clusters import Cluster, until
from control_planes import ControlPlane
from grounds import CONFIG_MAP, DEPLOYMENT, INFERENCE_POOL, POOLED_MODEL, POOLS, SERVICE, SMALL, Ground
from operators import operator, simulated
from toy_plans import toy_plan

from chimera_operator.api.names import model_object_name
from chimera_operator.cluster import contests
from chimera_operator.cluster.intent import INTENT
from chimera_operator.rendering.manifest import MANAGED_BY_LABEL, MANAGER

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ground(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> AsyncIterator[Ground]:
    async with operator(control_plane.kubeconfig(), f"--namespace={namespace}") as running:
        made = Ground(cluster, namespace, running)
        await made.apply(simulated())
        await made.settled()
        yield made


async def test_children_are_as_planned(ground: Ground) -> None:
    """Every object of the plan is there, owned by the pool, labelled, stamped, and written by one manager."""
    pool = await ground.there(POOLS, "pool")
    expected = [
        (("v1", "ServiceAccount"), "pool-picker"),
        (SERVICE, "pool-picker"),
        (CONFIG_MAP, SMALL),
        (DEPLOYMENT, SMALL),
        (POOLED_MODEL, SMALL),
        (INFERENCE_POOL, "pool-engines"),
    ]
    for kind, name in expected:
        metadata = (await ground.there(kind, name))["metadata"]
        (owner,) = metadata["ownerReferences"]
        assert owner["uid"] == pool["metadata"]["uid"]
        assert metadata["labels"][MANAGED_BY_LABEL] == MANAGER
        assert metadata["annotations"][INTENT]
        writers = {(each["manager"], each["operation"]) for each in metadata["managedFields"]}
        assert writers == {(MANAGER, "Apply")}
        assert "finalizers" not in metadata


async def test_status_says_what_was_seen(ground: Ground) -> None:
    """The pool's status and that of each model's PooledModel follow the Deployment's."""
    await ground.cluster.ask(
        "PATCH",
        f"/apis/apps/v1/namespaces/{ground.namespace}/deployments/{SMALL}/status",
        {"status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}},
    )

    async def ready() -> bool:
        status = (await ground.there(POOLS, "pool"))["status"]
        return {each["type"]: each["status"] for each in status["conditions"]}.get("Ready") == "True"

    assert await until(ready) < 5.0
    model = await ground.there(POOLED_MODEL)
    assert model["status"]["phase"] == "Ready"
    assert model["status"]["replicas"] == 1


async def test_a_quiet_pool_is_not_written(ground: Ground) -> None:
    """Looking again and again, for whatever reason, changes nothing and asks the server nothing."""
    before = ground.operator.api.calls.copy()
    for _ in range(5):
        for name in ground.operator.parts.pools.names():
            ground.operator.parts.controller.wake(name)
        await ground.operator.still(seconds=0.2)

    assert ground.operator.api.calls - before == {}


async def test_a_new_operator_writes_nothing(control_plane: ControlPlane, ground: Ground) -> None:
    """What is right stays as it is across a restart: no memory is needed to know that."""
    async with operator(control_plane.kubeconfig(), f"--namespace={ground.namespace}") as second:
        await second.parts.known()
        await second.still()
        assert len(second.parts.pools) == 1
        assert second.api.writes == 0


async def test_an_edit_of_the_pool_reaches_its_children(ground: Ground) -> None:
    """Within a second; and what did not change is not written."""
    await ground.operator.still()
    before = ground.operator.api.calls.copy()
    await ground.apply(simulated(small=3))

    async def scaled() -> bool:
        return bool((await ground.there(DEPLOYMENT))["spec"]["replicas"] == 3)

    assert await until(scaled) < 2.0
    await ground.settled()
    written = {
        path.rpartition("/namespaces/")[2] for verb, path in ground.operator.api.calls - before if verb == "apply"
    }
    assert {path.split("/")[1] for path in written} == {
        "configmaps",
        "deployments",
        "pooledmodels",
        "heterogeneousmodelpools",
    }


async def test_a_model_that_leaves_takes_its_children_along(ground: Ground) -> None:
    """What no plan has any more is deleted, and only what the pool owns."""
    await ground.apply(simulated(small=1, large=1))
    large = model_object_name("pool", "large")
    await ground.there(DEPLOYMENT, large)
    labels = {MANAGED_BY_LABEL: MANAGER, "chimera.dev/pool": "pool"}
    metadata = {"name": "somebodys", "namespace": ground.namespace, "labels": labels}
    await ground.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    await ground.apply(simulated(small=1))

    async def gone() -> bool:
        return not await ground.child(DEPLOYMENT, large) and not await ground.child(CONFIG_MAP, large)

    await until(gone)
    await ground.settled()
    assert await ground.child(DEPLOYMENT)
    assert await ground.child(CONFIG_MAP, "somebodys")


@pytest.mark.parametrize(("kind", "name"), [(DEPLOYMENT, SMALL), (SERVICE, "pool-picker"), (CONFIG_MAP, SMALL)])
async def test_a_child_that_was_deleted_is_made_anew(ground: Ground, kind: tuple[str, str], name: str) -> None:
    """Within seconds, whatever it is."""
    uid = (await ground.there(kind, name))["metadata"]["uid"]

    await ground.cluster.delete(*kind, ground.namespace, name)

    async def new() -> bool:
        found = await ground.child(kind, name)
        return bool(found and found["metadata"]["uid"] != uid)

    assert await until(new) < 5.0


async def test_a_field_that_somebody_took_is_set_back_and_told(ground: Ground) -> None:
    """A person who scales the Deployment by hand sees it undone, and an Event says whose change that was."""
    await ground.cluster.edit(*DEPLOYMENT, ground.namespace, SMALL, spec={"replicas": 7})

    async def back() -> bool:
        return bool((await ground.there(DEPLOYMENT))["spec"]["replicas"] == 1)

    assert await until(back) < 5.0

    async def told() -> bool:
        return any(each["reason"] == "FieldTaken" for each in await ground.events())

    await until(told)
    (event,) = [each for each in await ground.events() if each["reason"] == "FieldTaken"]
    assert event["note"] == f"Deployment {SMALL}: spec.replicas was set by kubectl-edit and is set back"
    assert event["regarding"]["kind"] == "HeterogeneousModelPool"


async def test_what_others_add_stays(ground: Ground) -> None:
    """An annotation of somebody else's is no drift."""
    await ground.operator.still()
    before = ground.operator.api.writes
    await ground.cluster.edit(*SERVICE, ground.namespace, "pool-picker", metadata={"annotations": {"team": "a"}})
    await asyncio.sleep(0.5)
    await ground.operator.still()

    assert ground.operator.api.writes == before
    assert (await ground.there(SERVICE, "pool-picker"))["metadata"]["annotations"]["team"] == "a"


async def test_a_label_that_was_removed_comes_back(ground: Ground) -> None:
    """Also the one by which children are found."""
    await ground.cluster.edit(
        *CONFIG_MAP, ground.namespace, SMALL, metadata={"labels": {MANAGED_BY_LABEL: None, "chimera.dev/pool": None}}
    )

    async def back() -> bool:
        return (await ground.there(CONFIG_MAP))["metadata"]["labels"].get(MANAGED_BY_LABEL) == MANAGER

    assert await until(back) < 5.0


async def test_nobody_is_fought_for_ever(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who goes on changing a field has it for a while, and the pool's status says so."""
    monkeypatch.setattr(contests, "FIRST", 3600.0)

    async def replicas() -> int:
        return int((await ground.there(DEPLOYMENT))["spec"]["replicas"])

    async def back() -> bool:
        return await replicas() == 1

    await ground.cluster.edit(*DEPLOYMENT, ground.namespace, SMALL, spec={"replicas": 7})
    await until(back)
    await ground.cluster.edit(*DEPLOYMENT, ground.namespace, SMALL, spec={"replicas": 8})

    async def degraded() -> bool:
        status = (await ground.there(POOLS, "pool"))["status"]
        return any(each["reason"] == "FieldContested" for each in status["conditions"])

    await until(degraded)
    assert await replicas() == 8


async def test_an_object_of_somebody_else_is_left_alone(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """A Service that was there before stays what it is; the pool says what is in its way, and goes on without it."""
    metadata = {"name": "pool-picker", "namespace": namespace}
    spec = {"ports": [{"port": 80}]}
    await cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    async with operator(control_plane.kubeconfig(), f"--namespace={namespace}") as running:
        ground = Ground(cluster, namespace, running)
        await ground.apply(simulated())

        async def told() -> bool:
            status = (await ground.there(POOLS, "pool")).get("status", {})
            return any(each["reason"] == "NameTaken" for each in status.get("conditions", ()))

        await until(told)
        service = await ground.there(SERVICE, "pool-picker")
        assert [port["port"] for port in service["spec"]["ports"]] == [80]
        assert INTENT not in service["metadata"].get("annotations", {})

        await cluster.delete("v1", "Service", namespace, "pool-picker")
        await ground.there(DEPLOYMENT)
        await ground.settled()
        conditions = (await ground.there(POOLS, "pool"))["status"]["conditions"]
        assert "NameTaken" not in {each["reason"] for each in conditions}


async def test_what_the_server_refuses_is_told(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """The pool's status carries the server's own sentence; what comes before in the plan is written."""

    def broken(*args: Any, **kwargs: Any) -> Any:
        plan = toy_plan(*args, **kwargs)
        for each in plan.objects:
            if each["kind"] == "Deployment":
                each["spec"]["replicas"] = -1
        return plan

    async with operator(control_plane.kubeconfig(), f"--namespace={namespace}", planner=broken) as running:
        ground = Ground(cluster, namespace, running)
        await ground.apply(simulated())

        async def told() -> bool:
            status = (await ground.there(POOLS, "pool")).get("status", {})
            return any(each["reason"] == "ApiServerRefused" for each in status.get("conditions", ()))

        await until(told)
        (found,) = [
            each
            for each in (await ground.there(POOLS, "pool"))["status"]["conditions"]
            if each["reason"] == "ApiServerRefused"
        ]
        assert (found["type"], found["status"]) == ("Degraded", "True")
        assert "spec.replicas" in found["message"]
        assert await ground.child(SERVICE, "pool-picker")
        assert await ground.child(DEPLOYMENT) is None


async def test_a_deleted_pool_is_left_to_the_garbage_collector(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Nothing is written for a pool that is being deleted, and nothing of it is left."""
    with control_plane.controller_manager():
        async with operator(control_plane.kubeconfig(), f"--namespace={namespace}") as running:
            ground = Ground(cluster, namespace, running)
            await ground.apply(simulated())
            await ground.settled()

            await cluster.ask(
                "DELETE",
                f"/apis/chimera.dev/v1alpha1/namespaces/{namespace}/heterogeneousmodelpools/pool?propagationPolicy=Foreground",
            )

            async def gone() -> bool:
                left = [await ground.child(kind) for kind in (DEPLOYMENT, CONFIG_MAP)]
                return not any(left) and not await ground.child(POOLS, "pool")

            await until(gone, seconds=40.0)
            await running.still()
            assert not await ground.child(DEPLOYMENT)
            assert len(running.parts.pools) == 0
