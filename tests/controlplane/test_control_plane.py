"""The control plane of the tests is a real one."""

import pytest
from clusters import Cluster, connected, start, stop, until
from control_planes import ControlPlane
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ForbiddenException

pytestmark = pytest.mark.anyio


async def test_service_account_is_known_by_its_token(cluster: Cluster) -> None:
    """The server tells whose a token is, and that another one is nobody's."""
    namespace = await cluster.namespace()
    token = await cluster.token(namespace, "default")
    reviews = client.AuthenticationV1Api(cluster.api)

    async def user(text: str) -> str | None:
        review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=text))
        status = (await reviews.create_token_review(review)).status
        return status.user.username if status.authenticated else None

    assert await user(token) == f"system:serviceaccount:{namespace}:default"
    assert await user(f"{token}x") is None


async def test_service_account_may_do_only_what_a_role_allows(control_plane: ControlPlane, cluster: Cluster) -> None:
    """RBAC is on: a new service account may not list pods."""
    namespace = await cluster.namespace()
    token = await cluster.token(namespace, "default")

    async with connected(control_plane.kubeconfig("nobody", token=token)) as own:
        with pytest.raises(ForbiddenException):
            await client.CoreV1Api(own.api).list_namespaced_pod(namespace)


async def test_pool_that_breaks_its_schema_is_refused(cluster: Cluster) -> None:
    """The definition of InferencePool is the one of the Gateway API Inference Extension, with its rules."""
    with pytest.raises(Exception, match="targetPorts"):
        await cluster.pool(await cluster.namespace(), app="engines")


async def test_server_starts_again_with_its_data(control_plane: ControlPlane, cluster: Cluster) -> None:
    """A stopped API server comes back on its port, and what was there is still there."""
    namespace = await cluster.namespace()

    await stop(control_plane)
    await start(control_plane)

    async with connected(control_plane.kubeconfig()) as again:
        assert (await client.CoreV1Api(again.api).read_namespace(namespace)).status.phase == "Active"


async def test_controllers_run_when_they_are_asked_for(control_plane: ControlPlane, cluster: Cluster) -> None:
    """With the controller manager, a namespace that is deleted ends with all that is in it."""
    core, namespace = client.CoreV1Api(cluster.api), await cluster.namespace()
    await cluster.config_map(namespace, "left", key="text")

    with control_plane.controller_manager():
        await core.delete_namespace(namespace)

        async def gone() -> bool:
            return namespace not in {each.metadata.name for each in (await core.list_namespace()).items}

        await until(gone, seconds=50)


async def test_scheduler_runs_when_it_is_asked_for(control_plane: ControlPlane, cluster: Cluster) -> None:
    """With the scheduler, a pod gets the node that has room for it."""
    core, namespace = client.CoreV1Api(cluster.api), await cluster.namespace()
    room = {"cpu": "4", "memory": "8Gi", "pods": "10"}
    await core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name="node")))
    await core.patch_node("node", {"spec": {"taints": None}})  # without a kubelet it would count as not ready
    await core.patch_node_status("node", {"status": {"capacity": room, "allocatable": room}})

    with control_plane.scheduler():
        await cluster.pod(namespace, "a", "10.1.0.1")

        async def placed() -> bool:
            return (await core.read_namespaced_pod("a", namespace)).spec.node_name == "node"

        await until(placed)
    await core.delete_node("node")
