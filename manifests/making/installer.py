"""What whoever installs the chart must be allowed to do.

Kubernetes lets nobody give rights that he does not have, so an installer has all that the chart gives.
"""

from collections.abc import Iterable
from typing import Any

import yaml

from making.documents import Dumper

HEAD = """\
# What whoever installs the chart with its defaults must be allowed to do: by the first role in the release's namespace,
# by the second in the whole cluster. Made by `make manifests`.
"""

Rule = dict[str, Any]

_KEPT = ("get", "patch", "update", "delete")
"""`update` too: by it Helm 3 goes over to a newer release."""

_IN_NAMESPACE = {
    "": ("configmaps", "pods", "secrets", "serviceaccounts", "services"),  # Helm's own records are Secrets
    "apps": ("deployments",),
    "coordination.k8s.io": ("leases",),
    "networking.k8s.io": ("networkpolicies",),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("roles", "rolebindings"),
}
"""Kinds of the release's objects by their group."""


def roles(definitions: Iterable[str], given: Iterable[str]) -> str:
    """Return both roles, as YAML.

    Args:
        definitions: Names of the resources that the chart defines.
        given: Files with the roles that it gives, as YAML.
    """
    documents = [document for text in given for document in yaml.safe_load_all(text)]
    release = [_rule(group, names, "list", "watch") for group, names in _IN_NAMESPACE.items()]
    made = [
        _role("chimera-release", [*release, *_given(documents, "Role")]),
        _role("chimera-installer", [*_of_cluster(sorted(definitions)), *_given(documents, "ClusterRole")]),
    ]
    return HEAD + "---\n".join(_dumped(role) for role in made)


def _dumped(role: dict[str, Any]) -> str:
    return yaml.dump(role, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=120)


def _role(name: str, rules: list[Rule]) -> dict[str, Any]:
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    return {**head, "rules": rules}


def _rule(group: str, names: Iterable[str], *more: str) -> Rule:
    return {"apiGroups": [group], "resources": list(names), "verbs": ["create", *more, *_KEPT]}


def _of_cluster(definitions: list[str]) -> list[Rule]:
    group, kind = ["apiextensions.k8s.io"], ["customresourcedefinitions"]
    return [
        {"apiGroups": group, "resources": kind, "verbs": ["create"]},  # no rule can name what is to be created
        {"apiGroups": group, "resources": kind, "resourceNames": definitions, "verbs": list(_KEPT)},
        _rule("rbac.authorization.k8s.io", ("clusterroles", "clusterrolebindings")),
    ]


def _given(documents: Iterable[dict[str, Any]], kind: str) -> list[Rule]:
    """Return what roles of a kind allow, whatever the release calls its objects."""
    rules = [rule for document in documents if document["kind"] == kind for rule in document["rules"]]
    open_rules = [{key: value for key, value in rule.items() if key != "resourceNames"} for rule in rules]
    return list({repr(rule): rule for rule in open_rules}.values())
