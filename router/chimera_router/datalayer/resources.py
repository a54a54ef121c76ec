"""Where the API server keeps the objects that the picker follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from chimera_router.datalayer.objects import ConfigMap, InferencePool, KubernetesObject, Pod

ObjectT = TypeVar("ObjectT", bound=KubernetesObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[ObjectT]):
    """Objects of one kind in one namespace.

    Attributes:
        name: Plural of the kind, as roles, logs and metrics call it.
        kind: What an object is decoded to.
        path: Of the list, from the server's root.
        selector: Narrows the list: query parameter and value.
    """

    name: str
    kind: type[ObjectT]
    path: str
    selector: tuple[str, str]


def pods(namespace: str, labels: Mapping[str, str]) -> Resource[Pod]:
    """Return the pods that have these labels."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    path = _path("/api/v1", namespace, "pods")
    return Resource(name="pods", kind=Pod, path=path, selector=("labelSelector", selector))


def inference_pool(namespace: str, name: str) -> Resource[InferencePool]:
    """Return one InferencePool, as a list."""
    path = _path("/apis/inference.networking.k8s.io/v1", namespace, "inferencepools")
    return Resource(name="inferencepools", kind=InferencePool, path=path, selector=_named(name))


def config_map(namespace: str, name: str) -> Resource[ConfigMap]:
    """Return one ConfigMap, as a list."""
    path = _path("/api/v1", namespace, "configmaps")
    return Resource(name="configmaps", kind=ConfigMap, path=path, selector=_named(name))


def _path(version: str, namespace: str, plural: str) -> str:
    return f"{version}/namespaces/{quote(namespace, safe='')}/{plural}"


def _named(name: str) -> tuple[str, str]:
    """Select by name: a role may then be limited to that name."""
    return "fieldSelector", f"metadata.name={name}"
