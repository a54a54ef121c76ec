"""The operator needs no more rights than manifests/rbac/operator.yaml gives it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from actions import READ, WRITE, Action, actions
from clusters import Cluster, connected, until
from control_planes import ControlPlane
from grounds import POOLS
from kubernetes.aio import client
from loose_definitions import definition
from operator_processes import operator_process
from operators import simulated

from chimera_operator.cluster.resources import CHILDREN, GATEWAY, GATEWAY_CLASS, plural
from chimera_operator.rendering.kinds import INFERENCE_POOL, OPTIONAL

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
RIGHTS = (ROOT / "manifests" / "rbac" / "operator.yaml").read_text()
HOME = "chimera-system"
RBAC = "rbac.authorization.k8s.io"
CHILD = (*READ, "create", "patch", "delete")


def _group(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""


ALLOWED = [
    *actions(READ, "heterogeneousmodelpools", "a", "chimera.dev"),
    *actions(("patch",), "heterogeneousmodelpools/status", "a", "chimera.dev"),
    *actions(("patch",), "pooledmodels/status", "a", "chimera.dev"),
    *[each for kind in CHILDREN for each in actions(CHILD, plural(kind), "a", _group(kind.api_version))],
    *actions(READ, "pods"),
    *actions(("list", "watch", "create", "patch"), "events", "", "events.k8s.io"),
]
EVERYWHERE = [
    *actions(("list", "watch"), "nodes"),
    *actions(("list", "watch"), "gateways", "", "gateway.networking.k8s.io"),
    *actions(("list", "watch"), "gatewayclasses", "", "gateway.networking.k8s.io"),
]
AT_HOME = [
    *actions(("get", "update"), "leases", "chimera-operator", "coordination.k8s.io"),
    *actions(("create",), "leases", "", "coordination.k8s.io"),
    *actions(("create",), "serviceaccounts/token", "chimera-status-reader"),
]
DENIED = [
    *actions(WRITE, "heterogeneousmodelpools", "a", "chimera.dev"),
    *actions((*READ, *WRITE), "secrets"),
    *actions(WRITE, "pods", "a"),
    *[Action("create", f"pods/{part}", "a") for part in ("exec", "attach", "portforward", "eviction", "binding")],
    *[Action("get", f"pods/{part}", "a") for part in ("log", "proxy")],
    *actions(WRITE, "nodes", "a"),
    *actions(("update", "deletecollection"), "deployments", "a", "apps"),
    *actions((*READ, *WRITE), "statefulsets", "a", "apps"),
    *actions((*READ, *WRITE), "namespaces", "a"),
    *actions(("escalate", "bind"), "roles", "a", "rbac.authorization.k8s.io"),
    *actions((*READ, *WRITE), "clusterroles", "a", "rbac.authorization.k8s.io"),
    *actions((*READ, *WRITE), "clusterrolebindings", "a", "rbac.authorization.k8s.io"),
    *actions(("impersonate",), "serviceaccounts", "a"),
    *actions(("create",), "serviceaccounts/token", "chimera-operator"),
    *actions((*READ, *WRITE), "customresourcedefinitions", "a", "apiextensions.k8s.io"),
    *actions(("get", "update", "patch", "delete"), "leases", "kube-scheduler", "coordination.k8s.io"),
    *actions(("create",), "tokenreviews", "", "authentication.k8s.io"),
    *actions((*READ, *WRITE), "validatingwebhookconfigurations", "a", "admissionregistration.k8s.io"),
]


@pytest.fixture
async def token(cluster: Cluster) -> str:
    """Return a token of the operator's service account, which has exactly the rights of the manifest."""
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
    await cluster.apply(RIGHTS)
    return await cluster.token(HOME, "chimera-operator")


@pytest.fixture
async def everything(cluster: Cluster) -> AsyncIterator[None]:
    """Have a cluster that knows every kind that a pool may become, and one Gateway of Envoy's."""
    missing = [*sorted(OPTIONAL - {INFERENCE_POOL}), GATEWAY, GATEWAY_CLASS]
    await cluster.install([definition(kind) for kind in missing])
    controller = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}
    await cluster.apply(
        {
            "apiVersion": GATEWAY_CLASS.api_version,
            "kind": GATEWAY_CLASS.name,
            "metadata": {"name": "envoy"},
            "spec": controller,
        }
    )
    yield
    for kind in missing:
        name = f"{plural(kind)}.{_group(kind.api_version)}"
        await cluster.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name)


def pool(namespace: str) -> dict[str, Any]:
    """Return a pool that becomes as many kinds as any can: with a gateway, accelerators, a claim, and scaling."""
    document = simulated()
    model = {
        "name": "small",
        "engine": {"type": "Simulator"},
        "accelerators": [{"class": "nvidia-h100"}],
        "scaling": {"auto": {"maxReplicas": 3}},
        "descriptor": {"parametersB": 8},
        "cache": {"compile": {"claimTemplate": {"size": "1Gi"}}},
    }
    spec = {"models": [model], "gateway": {"parentRefs": [{"name": "front"}]}}
    return {**document, "metadata": {"name": "pool", "namespace": namespace}, "spec": spec}


@pytest.mark.usefixtures("everything")
async def test_operator_works_with_these_rights(
    control_plane: ControlPlane, cluster: Cluster, namespace: str, token: str
) -> None:
    """A pool becomes all that it can, is changed and deleted; no call is forbidden, and the token stays a secret."""
    gateway = {"name": "front", "namespace": namespace}
    spec = {"gatewayClassName": "envoy", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
    await cluster.apply({"apiVersion": GATEWAY.api_version, "kind": GATEWAY.name, "metadata": gateway, "spec": spec})
    kubeconfig = control_plane.kubeconfig("operator", token=token)
    argv = (f"--operator-namespace={HOME}", "--status-account=chimera-status-reader")
    async with operator_process(kubeconfig, *argv, module="chimera_operator") as running:
        await until(running.leads, seconds=50.0)
        await cluster.apply(pool(namespace))
        written: set[str] = set()

        async def all_there() -> bool:
            written.update([kind.name for kind in CHILDREN if await cluster.list(*kind, namespace)])
            return {"HTTPRoute", "EnvoyExtensionPolicy", "BackendTrafficPolicy", "PodMonitor"} <= written

        await until(all_there, seconds=30.0)
        assert {"PooledModel", "Deployment", "Role", "RoleBinding", "NetworkPolicy", "PersistentVolumeClaim"} <= written

        async def told() -> bool:
            found = await cluster.get(*POOLS, namespace, "pool") or {}
            return bool(found.get("status", {}).get("conditions"))

        await until(told)
        changed = pool(namespace)
        del changed["spec"]["gateway"]
        await cluster.apply(changed)

        async def pruned() -> bool:
            return not await cluster.list("gateway.networking.k8s.io/v1", "HTTPRoute", namespace)

        await until(pruned)
        assert await running.metric("chimera_operator_api_calls_total", code="forbidden") == 0
        assert await running.metric("chimera_operator_watch_interruptions_total", reason="forbidden") == 0
        log = await running.stopped()

    assert running.process.returncode == 0
    assert [line for line in log if line["level"] == "error"] == []
    assert token not in str(log)


@pytest.mark.usefixtures("token")
async def test_rights_in_its_namespaces_are_enough(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """An operator of one namespace needs its rights there, and in the whole cluster only what lies outside of pools."""
    account = {"kind": "ServiceAccount", "name": namespace, "namespace": HOME}
    await cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": namespace, "namespace": HOME}}
    )
    for kind, role, place in (
        ("RoleBinding", {"kind": "ClusterRole", "name": "chimera-operator"}, namespace),
        ("RoleBinding", {"kind": "Role", "name": "chimera-operator"}, HOME),
        ("ClusterRoleBinding", {"kind": "ClusterRole", "name": "chimera-operator-capacity"}, ""),
    ):
        metadata = {"name": namespace, **({"namespace": place} if place else {})}
        body = {"metadata": metadata, "roleRef": {"apiGroup": RBAC, **role}, "subjects": [account]}
        await cluster.apply({"apiVersion": f"{RBAC}/v1", "kind": kind, **body})
    kubeconfig = control_plane.kubeconfig(namespace, token=await cluster.token(HOME, namespace))
    argv = (f"--operator-namespace={HOME}", f"--namespace={namespace}")
    async with operator_process(kubeconfig, *argv, module="chimera_operator") as running:
        await until(running.leads, seconds=50.0)
        await cluster.apply(pool(namespace))

        async def there() -> bool:
            return bool(await cluster.list("apps/v1", "Deployment", namespace))

        await until(there)
        assert await running.metric("chimera_operator_api_calls_total", code="forbidden") == 0


async def test_rights_are_exactly_these(control_plane: ControlPlane, namespace: str, token: str) -> None:
    """The API server allows what the operator does, and forbids the rest: secrets, exec, roles of the cluster."""
    async with connected(control_plane.kubeconfig("operator", token=token)) as own:
        reviews = client.AuthorizationV1Api(own.api)

        async def allowed(action: Action, place: str) -> bool:
            spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=action.attributes(place))
            answer = await reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
            return bool(answer.status.allowed)

        assert [action for action in ALLOWED if not await allowed(action, namespace)] == []
        assert [action for action in EVERYWHERE if not await allowed(action, "")] == []
        assert [action for action in AT_HOME if not await allowed(action, HOME)] == []
        assert [action for action in AT_HOME if await allowed(action, namespace)] == []
        assert [action for action in DENIED if await allowed(action, namespace)] == []
        assert [action for action in DENIED if await allowed(action, HOME)] == []


async def test_nobody_can_be_given_more(control_plane: ControlPlane, namespace: str, token: str) -> None:
    """A role with a right that the operator does not have is refused by the API server, whoever asks it to make one."""
    async with connected(control_plane.kubeconfig("operator", token=token)) as own:
        rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
        metadata = {"name": "more", "namespace": namespace}
        with pytest.raises(client.ApiException) as refused:
            await own.apply(
                {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}
            )
    assert refused.value.status == 403


async def test_status_reader_reads_status_only(control_plane: ControlPlane, cluster: Cluster, token: str) -> None:
    """The token that goes to pickers opens their status page, and nothing of the API server's."""
    assert token
    theirs = await cluster.token(HOME, "chimera-status-reader")
    async with connected(control_plane.kubeconfig("reader", token=theirs)) as own:
        reviews = client.AuthorizationV1Api(own.api)

        async def allowed(**attributes: Any) -> bool:
            spec = client.V1SelfSubjectAccessReviewSpec(**attributes)
            answer = await reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
            return bool(answer.status.allowed)

        def page(path: str, verb: str = "get") -> client.V1NonResourceAttributes:
            return client.V1NonResourceAttributes(path=path, verb=verb)

        assert await allowed(non_resource_attributes=page("/chimera/v1/status"))
        assert not await allowed(non_resource_attributes=page("/chimera/v1/explain", "post"))
        assert not await allowed(non_resource_attributes=page("/metrics"))
        for action in (*ALLOWED, *EVERYWHERE, *AT_HOME):
            assert not await allowed(resource_attributes=action.attributes(HOME))


def test_manifest_names_no_wildcard() -> None:
    """Every right is spelled out."""
    rules = [rule for document in yaml.safe_load_all(RIGHTS) for rule in document.get("rules", ())]

    assert rules
    assert not any("*" in values for rule in rules for values in rule.values())
