"""What tests do to a cluster: apply documents, let pods come and go, ask in the name of a service account."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from control_planes import ControlPlane
from kubernetes.aio import client, config
from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic.exceptions import ResourceNotFoundError

from chimera_operator.cluster import resources
from chimera_operator.rendering.kinds import Kind

POOL_GROUP = {"group": "inference.networking.k8s.io", "version": "v1", "plural": "inferencepools"}
_numbers = itertools.count(1)
_TOLD_OF = 15.0  # seconds


class Cluster:
    """An API server, asked as one of its users.

    Attributes:
        api: The library's client, for whatever has no method here.
    """

    def __init__(self, api: client.ApiClient, folder: Path) -> None:
        self.api = api
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._folder = folder

    async def apply(self, documents: str | Mapping[str, Any]) -> None:
        """Apply YAML, or one document, on the server's side."""
        # The library keeps what it discovers in a file, by default one that outlives the server.
        async with DynamicClient(self.api, cache_file=str(self._folder / "discovered.json")) as dynamic:
            for document in yaml.safe_load_all(documents) if isinstance(documents, str) else [documents]:
                resource = await _resource(dynamic, document)
                await dynamic.server_side_apply(resource, document, field_manager="tests", force_conflicts=True)

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object; None where there is none."""
        path = resources.path(Kind(api_version, kind), namespace=namespace, name=name)
        try:
            return await self.ask("GET", path)
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    async def list(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        found = await self.ask("GET", resources.path(Kind(api_version, kind), namespace=namespace))
        items: list[dict[str, Any]] = found["items"]
        return items

    async def edit(self, api_version: str, kind: str, namespace: str, name: str, **changes: Any) -> None:
        """Change an object by a merge patch, as a person with `kubectl edit` does."""
        path = resources.path(Kind(api_version, kind), namespace=namespace, name=name)
        await self.ask("PATCH", f"{path}?fieldManager=kubectl-edit", changes)

    async def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        await self.ask("DELETE", resources.path(Kind(api_version, kind), namespace=namespace, name=name))

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to any call."""
        headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
        request = await self.api.param_serialize(method, path, header_params=headers, auth_settings=["BearerToken"])
        verb, url, sent, *_ = request
        response = await self.api.call_api(verb, url, sent, body=body)
        await response.read()
        if response.status >= 400:
            raise client.ApiException(http_resp=response)
        found: dict[str, Any] = json.loads(response.data)
        return found

    async def namespace(self) -> str:
        """Return a new namespace in which pods can be made: with its default service account, whoever makes that."""
        name = f"test-{next(_numbers)}"
        await self._core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
        await self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        )
        return name

    async def pool(self, namespace: str, *ports: int, name: str = "pool", **labels: str) -> None:
        """Apply an InferencePool."""
        spec = {"selector": {"matchLabels": labels}, "targetPorts": [{"number": port} for port in ports]}
        metadata = {"name": name, "namespace": namespace}
        document = {"apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool", "metadata": metadata}
        await self.apply(
            {**document, "spec": {**spec, "endpointPickerRef": {"name": "picker", "port": {"number": 9002}}}}
        )

    async def delete_pool(self, namespace: str, name: str = "pool") -> None:
        """Delete an InferencePool."""
        await self._custom.delete_namespaced_custom_object(namespace=namespace, name=name, **POOL_GROUP)

    async def pod(self, namespace: str, name: str, ip: str, **labels: str) -> None:
        """Make a pod that runs on no node, ready at this address."""
        container = client.V1Container(name="engine", image="none")
        made = client.V1Pod(
            metadata=client.V1ObjectMeta(name=name, labels=labels), spec=client.V1PodSpec(containers=[container])
        )
        await self._core.create_namespaced_pod(namespace, made)
        await self.status(namespace, name, podIP=ip, podIPs=[{"ip": ip}], phase="Running")
        await self.ready(namespace, name)

    async def ready(self, namespace: str, name: str, status: str = "True") -> None:
        """Say whether a pod is ready, as its kubelet would."""
        await self.status(namespace, name, conditions=[{"type": "Ready", "status": status}])

    async def status(self, namespace: str, name: str, **fields: Any) -> None:
        """Change fields of a pod's status."""
        await self._core.patch_namespaced_pod_status(name, namespace, {"status": fields})

    async def mark(self, namespace: str, name: str, **metadata: Any) -> None:
        """Change fields of a pod's metadata."""
        await self._core.patch_namespaced_pod(name, namespace, {"metadata": metadata})

    async def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod; one with a finalizer is terminating until that is gone."""
        await self._core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)

    async def config_map(self, namespace: str, name: str, **data: str) -> None:
        """Apply a ConfigMap; underlines in keys are dots."""
        texts = {key.replace("_", "."): text for key, text in data.items()}
        metadata = {"name": name, "namespace": namespace}
        await self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts})

    async def token(self, namespace: str, account: str) -> str:
        """Return a token of a service account, as a pod would get it."""
        request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
        made = await self._core.create_namespaced_service_account_token(account, namespace, request)
        token: str = made.status.token
        return token

    async def install(self, definitions: Iterable[str | Mapping[str, Any]]) -> None:
        """Apply CustomResourceDefinitions, as YAML or documents, and wait until the server serves them."""
        extensions = client.ApiextensionsV1Api(self.api)
        for definition in definitions:
            document = yaml.safe_load(definition) if isinstance(definition, str) else definition
            await self.apply(document)
            await until(partial(_established, extensions, document["metadata"]["name"]))


async def _resource(dynamic: DynamicClient, document: Mapping[str, Any]) -> Any:
    """Return how documents of this kind are asked for: a server tells of a kind a moment after it serves it."""
    async with asyncio.timeout(_TOLD_OF):
        while True:
            try:
                return await dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
            except ResourceNotFoundError:
                await asyncio.sleep(0.1)


async def _established(extensions: client.ApiextensionsV1Api, name: str) -> bool:
    found = await extensions.read_custom_resource_definition(name)
    return any(each.type == "Established" and each.status == "True" for each in found.status.conditions or ())


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20.0) -> float:
    """Return, as soon as the condition holds, the seconds that took; fail after a while."""
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() < began + seconds, "it never came true"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def stop(plane: ControlPlane) -> None:
    """Stop the API server."""
    await asyncio.to_thread(plane.stop_api_server)


async def start(plane: ControlPlane) -> None:
    """Start the API server again, and wait until it is ready."""
    plane.start_api_server()
    await asyncio.to_thread(plane.await_api_server)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """Yield a cluster, asked as the user of a kubeconfig."""
    settings = client.Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
    async with client.ApiClient(settings) as api:
        yield Cluster(api, kubeconfig.parent)
