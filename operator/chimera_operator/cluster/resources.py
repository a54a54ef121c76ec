"""Where the API server keeps each kind of object. Pure."""

from urllib.parse import quote

from chimera_operator.rendering import kinds
from chimera_operator.rendering.kinds import Kind

CHILDREN = (
    kinds.POOLED_MODEL,
    kinds.CONFIG_MAP,
    kinds.CLAIM,
    kinds.SERVICE_ACCOUNT,
    kinds.ROLE,
    kinds.ROLE_BINDING,
    kinds.SERVICE,
    kinds.DEPLOYMENT,
    kinds.DISRUPTION_BUDGET,
    kinds.NETWORK_POLICY,
    *sorted(kinds.OPTIONAL),
)
"""Kinds that pools are made of: mirrored by their label, written, deleted."""

GATEWAY = kinds.GATEWAY
GATEWAY_CLASS = Kind("gateway.networking.k8s.io/v1", "GatewayClass")
POD = Kind("v1", "Pod")
NODE = Kind("v1", "Node")
EVENT = Kind("events.k8s.io/v1", "Event")
LEASE = Kind("coordination.k8s.io/v1", "Lease")


def plural(kind: Kind) -> str:
    """Return the name of a kind in paths, roles and metrics, by the rule of English that all kinds here keep to."""
    name = kind.name.lower()
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"


def group_path(api_version: str) -> str:
    """Return the path of a group and version, from the server's root; the core group has no name."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def path(kind: Kind, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of objects, from the server's root.

    Args:
        kind: Of the objects.
        namespace: Theirs; empty for those of every namespace, and for kinds that have none.
        name: Of one object; empty for the list.
        subresource: Such as `status`.
    """
    steps = ("namespaces" if namespace else "", namespace, plural(kind), name, subresource)
    return "/".join([group_path(kind.api_version), *(quote(step, safe="") for step in steps if step)])
