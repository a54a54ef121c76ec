"""What a real API server makes of a resource: the object it would store, or why it refuses."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from clusters import Cluster, connected
from control_planes import ControlPlane
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

GROUP, VERSION = "chimera.dev", "v1alpha1"
PLURALS = {"HeterogeneousModelPool": "heterogeneousmodelpools", "PooledModel": "pooledmodels"}
CRDS = sorted((Path(__file__).resolve().parents[2] / "manifests" / "crds").glob("*.yaml"))


class RefusedError(Exception):
    """The API server's own words."""


class Admission:
    """Chimera's resources at an API server.

    Attributes:
        namespace: Where they are.
    """

    def __init__(self, cluster: Cluster, *, namespace: str = "default") -> None:
        self._cluster = cluster
        self._api = client.CustomObjectsApi(cluster.api)
        self.namespace = namespace

    async def elsewhere(self) -> Self:
        """Return the same in a namespace where nothing is stored yet."""
        return type(self)(self._cluster, namespace=await self._cluster.namespace())

    async def admit(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object that would be stored.

        Raises:
            RefusedError: It would be refused.
        """
        return await self._sent(self._api.create_namespaced_custom_object, document, dry_run="All")

    async def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Store an object; return it."""
        return await self._sent(self._api.create_namespaced_custom_object, document)

    async def update(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Change a stored object by what the document says; return it."""
        return await self._patched(self._api.patch_namespaced_custom_object, document)

    async def write_status(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Change a stored object's status by what the document says; return it."""
        return await self._patched(self._api.patch_namespaced_custom_object_status, document)

    async def scale(self, child: str, replicas: int) -> dict[str, Any]:
        """Set the replicas of a PooledModel as an autoscaler does; return what that sees."""
        place = {**_place({"kind": "PooledModel"}), "namespace": self.namespace, "name": child}
        body = {"spec": {"replicas": replicas}}
        patch = self._api.patch_namespaced_custom_object_scale
        found: dict[str, Any] = await patch(**place, body=body, _content_type="application/merge-patch+json")
        return found

    async def read(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the stored object that a document names."""
        name = document["metadata"]["name"]
        found: dict[str, Any] = await self._api.get_namespaced_custom_object(
            **_place(document), namespace=self.namespace, name=name
        )
        return found

    async def _patched(self, patch: Any, document: Mapping[str, Any]) -> dict[str, Any]:
        return await self._sent(
            patch, document, name=document["metadata"]["name"], _content_type="application/merge-patch+json"
        )

    async def _sent(self, send: Any, document: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await send(
                **_place(document), namespace=self.namespace, body=dict(document), field_validation="Strict", **more
            )
        except ApiException as error:
            raise RefusedError(json.loads(error.body or "{}").get("message", str(error))) from None
        return found


def _place(document: Mapping[str, Any]) -> dict[str, str]:
    return {"group": GROUP, "version": VERSION, "plural": PLURALS[document["kind"]]}


@pytest.fixture(scope="module")
async def admission(control_plane: ControlPlane) -> AsyncIterator[Admission]:
    """Chimera's resources at the control plane of the run, whose definitions are installed once for a module."""
    async with connected(control_plane.kubeconfig()) as cluster:
        await cluster.install([path.read_text() for path in CRDS])
        yield Admission(cluster)
