"""Kubernetes objects as plain data, and how each is known."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from chimera_operator.api.names import GROUP, POOL_LABEL
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.kinds import POOL, Kind

Manifest = dict[str, Any]

MANAGER = "chimera-operator"
DEFAULT_NAMESPACE = "default"

COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
SIMULATED_LABEL = f"{GROUP}/simulated"
"""Pods whose answers come from a simulator and from no model."""

ENGINE, PICKER, ROUTE = "engine", "picker", "route"
"""The parts of a pool, as the label `app.kubernetes.io/component` calls them."""


class ObjectKey(NamedTuple):
    """What an object is known by."""

    api_version: str
    kind: str
    namespace: str
    name: str


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """Return what an object is known by."""
    metadata = manifest["metadata"]
    return ObjectKey(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def namespace(pool: HeterogeneousModelPool) -> str:
    """Return where a pool and all its objects are."""
    return pool.metadata.namespace or DEFAULT_NAMESPACE


def labels(pool: HeterogeneousModelPool, component: str) -> dict[str, str]:
    """Return the labels of an object: whose it is, and what for."""
    return {
        "app.kubernetes.io/name": "chimera",
        "app.kubernetes.io/instance": pool.metadata.name,
        COMPONENT_LABEL: component,
        "app.kubernetes.io/part-of": "chimera",
        MANAGED_BY_LABEL: MANAGER,
        POOL_LABEL: pool.metadata.name,
    }


def selector(pool: HeterogeneousModelPool, component: str) -> dict[str, str]:
    """Return the labels by which the pods of a component are found."""
    return {POOL_LABEL: pool.metadata.name, COMPONENT_LABEL: component}


def new(
    pool: HeterogeneousModelPool,
    kind: Kind,
    name: str,
    *,
    component: str,
    more_labels: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """Return an object of a pool, which goes when the pool goes.

    Args:
        pool: Whose it is.
        kind: What it is.
        name: Its name.
        component: The part of the pool that it belongs to.
        more_labels: Labels besides those that every object has, which they cannot replace.
        **body: Its other fields, such as `spec`.
    """
    ours = labels(pool, component)
    metadata: Manifest = {
        "name": name,
        "namespace": namespace(pool),
        "labels": {**ours, **(more_labels or {}), **ours},
    }
    if pool.metadata.uid:
        metadata["ownerReferences"] = [_owner(pool)]
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **body}


def filled(fields: Mapping[str, Any]) -> Manifest:
    """Return fields without the empty ones, which the API server would not store: what is stored is what was meant."""
    return {key: value for key, value in fields.items() if value not in (None, [], {})}


def _owner(pool: HeterogeneousModelPool) -> Manifest:
    # Without blockOwnerDeletion, which nothing here waits for and which needs a right of its own in some clusters.
    identity = {"name": pool.metadata.name, "uid": pool.metadata.uid}
    return {"apiVersion": POOL.api_version, "kind": POOL.name, **identity, "controller": True}
