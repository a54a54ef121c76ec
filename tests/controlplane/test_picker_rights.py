"""A picker needs no more rights than manifests/rbac/picker.yaml gives it."""

from pathlib import Path

import pytest
from actions import READ, WRITE, Action, actions
from cluster_pickers import cluster_picker, config
from clusters import Cluster, connected, until
from control_planes import ControlPlane
from engines import engine
from kubernetes.aio import client

pytestmark = pytest.mark.anyio

RIGHTS = (Path(__file__).resolve().parents[2] / "manifests" / "rbac" / "picker.yaml").read_text()
POOL_GROUP = "inference.networking.k8s.io"
ALLOWED = [
    *actions(READ, "pods"),
    *actions(READ, "inferencepools", "assistants", POOL_GROUP),
    *actions(READ, "configmaps", "assistants-router"),
]
DENIED = [
    *actions(WRITE, "pods"),
    *actions(WRITE, "inferencepools", "assistants", POOL_GROUP),
    *actions(WRITE, "configmaps", "assistants-router"),
    *actions(READ, "inferencepools", "another", POOL_GROUP),
    *actions(READ, "configmaps", "another"),
    *actions(("list", "watch"), "configmaps"),
    *actions((*READ, *WRITE), "secrets"),
    *[Action("create", f"pods/{part}", "a") for part in ("exec", "attach", "portforward", "eviction", "binding")],
    *[Action("get", f"pods/{part}", "a") for part in ("log", "proxy", "status")],
    *actions(WRITE, "pods/status", "a"),
    *actions(WRITE, "inferencepools/status", "assistants", POOL_GROUP),
    *actions(("create",), "serviceaccounts/token", "assistants-picker"),
    *actions(("impersonate", *WRITE), "serviceaccounts", "assistants-picker"),
    *actions(("escalate", "bind", *WRITE), "roles", "assistants-picker", "rbac.authorization.k8s.io"),
    *actions(WRITE, "rolebindings", "assistants-picker", "rbac.authorization.k8s.io"),
    *actions((*READ, *WRITE), "leases", "a", "coordination.k8s.io"),
    *actions(READ, "nodes"),
    *actions(READ, "namespaces"),
    *actions(("create",), "events"),
    *actions(("create",), "tokenreviews", "", "authentication.k8s.io"),
]


@pytest.fixture
async def token(cluster: Cluster) -> str:
    """Return a token of the picker's service account, which has exactly the rights of the manifest."""
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "models"}})
    await cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "models"}}
    )
    await cluster.apply(RIGHTS)
    return await cluster.token("models", "assistants-picker")


async def test_picker_works_with_these_rights(control_plane: ControlPlane, cluster: Cluster, token: str) -> None:
    """It finds its configuration, its pool and its engines, no call of it is forbidden, and it keeps its token."""
    async with engine("small") as address:
        ip, _, port = address.partition(":")
        await cluster.pool("models", int(port), name="assistants", app="engines")
        await cluster.pod("models", "a", ip, app="engines")
        await cluster.config_map("models", "assistants-router", router_json=config("models", pool="assistants"))
        kubeconfig = control_plane.kubeconfig("picker", token=token)

        async with cluster_picker(kubeconfig, "models/assistants-router") as picker:
            await until(picker.serving)

            async def found() -> bool:
                return await picker.endpoints() == (1, 1)

            await until(found)
            assert await picker.metric("chimera_discovery_endpoints", state="endpoint") == 1
            for resource in ("pods", "inferencepools", "configmaps"):
                assert not await picker.metric("chimera_discovery_errors_total", resource=resource, reason="forbidden")
            picker.process.terminate()
            log = await picker.ended()

    assert picker.process.returncode == 0
    assert token not in log


async def test_rights_are_exactly_these(control_plane: ControlPlane, token: str) -> None:
    """The API server allows what a picker does, and forbids the rest: writing, secrets, other names, other places."""
    async with connected(control_plane.kubeconfig("picker", token=token)) as own:
        reviews = client.AuthorizationV1Api(own.api)

        async def allowed(action: Action, namespace: str = "models") -> bool:
            spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=action.attributes(namespace))
            answer = await reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
            return bool(answer.status.allowed)

        assert [action for action in ALLOWED if not await allowed(action)] == []
        assert [action for action in DENIED if await allowed(action)] == []
        assert [action for action in ALLOWED if await allowed(action, "default")] == []
