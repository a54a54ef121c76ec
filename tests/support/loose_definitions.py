"""Definitions of kinds that other projects bring, without their schemas: whatever is written is kept."""

from typing import Any

import yaml

from chimera_operator.cluster import resources
from chimera_operator.rendering.kinds import Kind

_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind: Kind) -> str:
    """Return a CustomResourceDefinition of a kind, as YAML."""
    group, _, version = kind.api_version.partition("/")
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": resources.plural(kind),
        "singular": kind.name.lower(),
    }
    served: dict[str, Any] = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _ANYTHING},
        "subresources": {"status": {}},
    }
    scope = "Cluster" if kind == resources.GATEWAY_CLASS else "Namespaced"
    # Groups of Kubernetes' own name want their definitions to say that they were reviewed.
    approved = {"api-approved.kubernetes.io": "unapproved, of a test"}
    return yaml.safe_dump(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{resources.plural(kind)}.{group}", "annotations": approved},
            "spec": {"group": group, "names": names, "scope": scope, "versions": [served]},
        }
    )
