"""What an installer must be allowed to do follows from what the chart gives."""

from typing import Any

import yaml

from making.installer import roles

GIVEN = """\
kind: ClusterRole
rules:
  - {apiGroups: [""], resources: [pods], verbs: [list]}
  - {apiGroups: [""], resources: [pods], verbs: [list]}
---
kind: Role
rules:
  - {apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [chimera-reader], verbs: [create]}
---
kind: ServiceAccount
"""


def _rules() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    release, installer = yaml.safe_load_all(roles(["b.chimera.dev", "a.chimera.dev"], [GIVEN]))
    assert (release["metadata"]["name"], installer["metadata"]["name"]) == ("chimera-release", "chimera-installer")
    return release["rules"], installer["rules"]


def test_rights_of_the_cluster_are_had_in_the_cluster() -> None:
    """Each once, after those to definitions and roles."""
    _, installer = _rules()

    assert [rule["resources"] for rule in installer] == [
        ["customresourcedefinitions"],
        ["customresourcedefinitions"],
        ["clusterroles", "clusterrolebindings"],
        ["pods"],
    ]


def test_only_these_definitions_can_be_changed() -> None:
    """Any can be made, for no rule can name what is not there yet."""
    _, installer = _rules()

    assert installer[0]["verbs"] == ["create"]
    assert installer[1]["resourceNames"] == ["a.chimera.dev", "b.chimera.dev"]


def test_rights_of_the_namespace_name_no_release() -> None:
    """Whatever a release is called, its operator's own role can be given; only in its namespace."""
    release, installer = _rules()
    tokens = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}

    assert tokens in release
    assert tokens not in installer


def test_nothing_is_a_wildcard() -> None:
    """Nor lets anybody pass by what Kubernetes holds back."""
    release, installer = _rules()
    told = {word for rule in (*release, *installer) for words in rule.values() for word in words}

    assert told.isdisjoint({"*", "escalate", "bind", "impersonate"})
