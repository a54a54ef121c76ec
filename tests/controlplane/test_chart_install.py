"""The chart installs, upgrades and goes again, by whoever has the rights that it says, and no others."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from charts import INSTALL, ROOT, Helm, HelmError, built
from clusters import Cluster, until
from control_planes import ControlPlane
from grounds import POOLS
from operator_processes import OperatorProcess, operator_process
from operators import simulated
from shops import FULL, RELEASE, Shop

from chimera_cluster.programs.catalog import HELM
from chimera_operator.api import crds

pytestmark = pytest.mark.anyio

CLUSTER_ROLE = ("rbac.authorization.k8s.io/v1", "ClusterRole")
CUSTOM = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
INSTALLER = (ROOT / "manifests" / "rbac" / "installer.yaml").read_text()
_numbers = itertools.count(1)


@pytest.fixture(params=HELM)
async def shop(
    request: pytest.FixtureRequest, tmp_path: Path, control_plane: ControlPlane, cluster: Cluster
) -> AsyncIterator[Shop]:
    """Have a namespace, an account that may fill it, a Helm that bears its token, and no definitions."""
    for name in crds.definitions():
        if await cluster.get(*CUSTOM, "", name):
            await cluster.delete(*CUSTOM, "", name)
        await until(lambda name=name: _gone(cluster, name))
    namespace = await cluster.namespace()
    account = {"name": "installer", "namespace": namespace}
    await cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    token = await cluster.token(namespace, "installer")
    kubeconfig = control_plane.kubeconfig(f"installer-{next(_numbers)}", token=token)
    made = Shop(cluster, namespace, Helm(built(request.param), tmp_path, kubeconfig))
    await cluster.apply(INSTALLER)
    await made.allow("chimera-release", everywhere=False)
    yield made
    administrator = replace(made.helm, kubeconfig=control_plane.kubeconfig())
    administrator("uninstall", RELEASE, f"--namespace={namespace}", "--ignore-not-found")


async def _gone(cluster: Cluster, name: str) -> bool:
    return await cluster.get(*CUSTOM, "", name) is None


@pytest.fixture
async def full_shop(shop: Shop) -> Shop:
    """Let the installer also do what manifests/rbac/installer.yaml allows in the cluster."""
    await shop.allow("chimera-installer", everywhere=True)
    return shop


async def test_installs_upgrades_and_goes(full_shop: Shop) -> None:
    """An upgrade that changes nothing does so; at the end the definitions are left, and pools with them."""
    shop = full_shop
    said = shop.do("install")
    assert f"kubectl rollout status deployment/{FULL}-operator --namespace {shop.namespace}" in said
    before = await shop.found(shop.manifests())
    assert None not in before.values()

    shop.do("upgrade")
    after = await shop.found(shop.manifests())
    assert [key for key, each in after.items() if each != before[key]] == []

    await shop.cluster.apply({**simulated(), "metadata": {"name": "pool", "namespace": shop.namespace}})
    shop.do("uninstall")
    left = {key for key, each in (await shop.found(list(filter(None, before.values())))).items() if each}
    assert left == {("CustomResourceDefinition", name) for name in crds.definitions()}
    assert await shop.cluster.get(*POOLS, shop.namespace, "pool")

    shop.do("install")  # and takes up what it finds
    assert await shop.cluster.get(*POOLS, shop.namespace, "pool")


async def test_upgrade_changes_what_is_asked_for(full_shop: Shop) -> None:
    """A value that changes one object changes that one."""
    shop = full_shop
    shop.do("install")
    before = await shop.found(shop.manifests())
    shop.do("upgrade", values={"logLevel": "debug"})
    after = await shop.found(shop.manifests())

    assert [key for key, each in after.items() if each != before[key]] == [("Deployment", f"{FULL}-operator")]


async def test_definitions_of_others_are_taken_over_when_asked_to(full_shop: Shop) -> None:
    """What was applied without Helm is refused, and becomes the release's by a flag; Helm 4 wants its fields too."""
    shop = full_shop
    await shop.cluster.install([yaml.safe_dump(each) for each in crds.definitions().values()])
    with pytest.raises(HelmError, match="cannot be imported into the current release"):
        shop.do("install")
    help_page = shop.helm("install", "--help")
    shop.do("install", "--take-ownership", *(["--force-conflicts"] if "--force-conflicts" in help_page else []))
    assert None not in (await shop.found(shop.manifests())).values()


async def test_nobody_else_installs(shop: Shop) -> None:
    """Who may fill the namespace, and no more, is told by Kubernetes what it lacks."""
    with pytest.raises(HelmError, match="forbidden"):
        shop.do("install")


async def test_release_needs_no_right_outside_its_namespace(shop: Shop) -> None:
    """Where somebody has applied definitions, accounts and roles, rights in the release's namespace are enough."""
    await shop.cluster.install([yaml.safe_dump(each) for each in crds.definitions().values()])
    values = {
        "crds": {"enabled": False},
        "rbac": {"create": False, "aggregateClusterRoles": False},
        "serviceAccount": {"create": False, "name": "chimera-operator"},
        "statusReader": {"create": False, "name": "chimera-status-reader"},
        "pickerAccess": {"create": False},
        "test": {"enabled": False},
    }
    shop.do("install", values=values)
    found = await shop.found(shop.manifests())
    assert None not in found.values()
    shop.do("upgrade", values=values)
    shop.do("uninstall")
    assert not any((await shop.found(list(filter(None, found.values())))).values())


@asynccontextmanager
async def _operating(shop: Shop, plane: ControlPlane) -> AsyncIterator[OperatorProcess]:
    """Run the operator with account and arguments of the release until it has told of a pool."""
    found = await shop.found(shop.manifests())
    deployment = found["Deployment", f"{FULL}-operator"]
    assert deployment
    pod = deployment["spec"]["template"]["spec"]
    kubeconfig = plane.kubeconfig("charted", token=await shop.cluster.token(shop.namespace, pod["serviceAccountName"]))
    argv = (*pod["containers"][0]["args"], f"--operator-namespace={shop.namespace}")
    async with operator_process(kubeconfig, *argv, module="chimera_operator") as running:
        await until(running.leads, seconds=50.0)
        await shop.cluster.apply({**simulated(), "metadata": {"name": "pool", "namespace": shop.namespace}})

        async def told() -> bool:
            pool = await shop.cluster.get(*POOLS, shop.namespace, "pool")
            return bool(pool and pool.get("status", {}).get("conditions"))

        await until(told)
        yield running


async def test_operator_runs_as_the_chart_says(full_shop: Shop, control_plane: ControlPlane) -> None:
    """With the account, rights, lease and arguments of the chart it leads, looks after a pool, and stops."""
    shop = full_shop
    shop.do("install")
    async with _operating(shop, control_plane) as running:
        assert await running.metric("chimera_operator_api_calls_total", code="forbidden") == 0
        assert await running.metric("chimera_operator_watch_interruptions_total", reason="forbidden") == 0
        log = await running.stopped()

    assert [line for line in log if line["level"] == "error"] == []
    lease = ("coordination.k8s.io/v1", "Lease", shop.namespace, f"{FULL}-operator")
    given_back = await shop.cluster.get(*lease)
    assert given_back
    assert not given_back["spec"].get("holderIdentity")
    shop.do("upgrade")  # goes over what the operator wrote
    shop.do("uninstall")
    assert await shop.cluster.get(*lease) is None


async def test_operator_of_one_namespace_runs_without_rights_elsewhere(shop: Shop, control_plane: ControlPlane) -> None:
    """Whoever installs it has rights in the namespace only, and what it cannot see it does without."""
    await shop.cluster.install([yaml.safe_dump(each) for each in crds.definitions().values()])
    await shop.allow("chimera-installer", everywhere=False)
    values = {
        "watchNamespaces": [shop.namespace],
        "crds": {"enabled": False},
        "rbac": {"observeCluster": False, "aggregateClusterRoles": False},
        "statusReader": {"create": False},
        "pickerAccess": {"create": False},
        "test": {"enabled": False},
    }
    shop.do("install", values=values)
    async with _operating(shop, control_plane) as running:
        log = await running.stopped()

    assert [line for line in log if line["level"] == "error"] == []


async def test_plain_install_is_taken(cluster: Cluster) -> None:
    """Kubernetes takes every object of it, and again without a change."""
    await cluster.install([yaml.safe_dump(each) for each in crds.definitions().values()])
    await cluster.apply(INSTALL.read_text())
    deployment = ("apps/v1", "Deployment", "chimera-system", "chimera-operator")
    first = await cluster.get(*deployment)
    await cluster.apply(INSTALL.read_text())

    assert await cluster.get(*deployment) == first


async def test_people_get_their_rights(control_plane: ControlPlane, cluster: Cluster) -> None:
    """Who may edit a namespace makes pools there, who may view it sees them."""
    await cluster.apply((ROOT / "manifests" / "rbac" / "people.yaml").read_text())

    async def verbs(role: str) -> set[str]:
        found = await cluster.get(*CLUSTER_ROLE, "", role) or {}
        rules = [rule for rule in found["rules"] or () if "heterogeneousmodelpools" in rule["resources"]]
        return {verb for rule in rules for verb in rule["verbs"]}

    async def aggregated() -> bool:
        return "get" in await verbs("view") and {"get", "create", "delete"} <= await verbs("edit")

    with control_plane.controller_manager():
        await until(aggregated)
        assert "create" not in await verbs("view")
