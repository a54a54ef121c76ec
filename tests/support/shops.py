"""A release of the chart in a real cluster, and whoever installs it."""

from typing import Any

import yaml
from charts import CHART, Helm, Manifest
from clusters import Cluster

RELEASE = "shop"  # of names that no other test uses
FULL = f"{RELEASE}-chimera"
ROLE_BINDING, CLUSTER_ROLE_BINDING = (
    ("rbac.authorization.k8s.io/v1", kind) for kind in ("RoleBinding", "ClusterRoleBinding")
)
OF_THE_CLUSTER = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}


class Shop:
    """A release in a namespace, and whoever may install it.

    Attributes:
        cluster: Asked as its administrator.
        namespace: The release's.
        helm: Asks as the installer.
    """

    def __init__(self, cluster: Cluster, namespace: str, helm: Helm) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.helm = helm

    def do(self, command: str, *flags: str, values: dict[str, Any] | None = None) -> str:
        """Return what Helm says to a command about the release."""
        chart = () if command in {"uninstall", "status"} else (str(CHART),)
        return self.helm(command, RELEASE, *chart, f"--namespace={self.namespace}", *flags, values=values)

    def manifests(self) -> list[Manifest]:
        """Return the objects of the release, as Helm keeps them."""
        text = self.helm("get", "manifest", RELEASE, f"--namespace={self.namespace}")
        return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]

    async def found(self, manifests: list[Manifest]) -> dict[tuple[str, str], dict[str, Any] | None]:
        """Return what the API server has of objects, by kind and name."""
        return {(each["kind"], each["metadata"]["name"]): await self._live(each) for each in manifests}

    async def _live(self, manifest: Manifest) -> dict[str, Any] | None:
        metadata = manifest["metadata"]
        namespace = "" if manifest["kind"] in OF_THE_CLUSTER else metadata["namespace"]
        found = await self.cluster.get(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"])
        if found:
            for field in ("managedFields", "resourceVersion"):  # Helm 3 writes definitions anew as they are
                del found["metadata"][field]
        return found

    async def allow(self, role: str, *, everywhere: bool) -> None:
        """Give the installer a ClusterRole, in the whole cluster or in the release's namespace."""
        kind = CLUSTER_ROLE_BINDING if everywhere else ROLE_BINDING
        metadata = {"name": f"{self.namespace}-{role}", **({} if everywhere else {"namespace": self.namespace})}
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        subject = {"kind": "ServiceAccount", "name": "installer", "namespace": self.namespace}
        await self.cluster.apply(
            {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "roleRef": ref, "subjects": [subject]}
        )
