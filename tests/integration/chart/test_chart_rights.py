"""The rights that the chart gives are those of manifests/rbac, given to whom they are meant for."""

from typing import Any

import pytest
import yaml
from charts import NAMESPACE, ROOT, Helm, Manifest, of_kind

RBAC = ROOT / "manifests" / "rbac"


def _file(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((RBAC / f"{name}.yaml").read_text()))


def _rights(manifests: list[Manifest]) -> dict[tuple[str, str], Any]:
    """Return the rules of roles by kind and name."""
    kinds = ("ClusterRole", "Role")
    return {(kind, name): role["rules"] for kind in kinds for name, role in of_kind(manifests, kind).items()}


def _bound(manifests: list[Manifest]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return the namespaces and subjects that each role is bound in and to, `` being the whole cluster."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for binding in manifests:
        if binding["kind"].endswith("RoleBinding"):
            (subject,) = binding["subjects"]
            ref = binding["roleRef"]
            told = (binding["metadata"].get("namespace", ""), subject["name"])
            found.setdefault((ref["kind"], ref["name"]), []).append(told)
    return found


def test_rights_are_those_of_the_shared_source(helm: Helm) -> None:
    """Rule for rule, by the defaults; but for the operator's own role, whose name must not meet another's."""
    own = {("Role", "chimera-operator"): ("Role", "chimera-operator-own")}
    shared = _rights([*_file("operator"), *_file("people"), *_file("picker-auth")])

    assert _rights(helm.rendered(None, "--no-hooks")) == {own.get(key, key): rules for key, rules in shared.items()}


def test_rights_are_bound_as_in_the_shared_source(helm: Helm) -> None:
    """The operator gets its roles, the reader of status its own."""
    assert _bound(helm.rendered(None, "--no-hooks")) == {
        ("ClusterRole", "chimera-operator"): [("", "chimera-operator")],
        ("ClusterRole", "chimera-operator-capacity"): [("", "chimera-operator")],
        ("ClusterRole", "chimera-status-reader"): [("", "chimera-status-reader")],
        ("Role", "chimera-operator-own"): [(NAMESPACE, "chimera-operator")],
    }


def test_names_in_rules_follow_the_release(helm: Helm) -> None:
    """A second release leads by its own lease, and shows the token of its own account."""
    manifests = helm.rendered({"fullnameOverride": "other"}, "--no-hooks")
    rules = _rights(manifests)["Role", "other-operator-own"]
    (deployment,) = of_kind(manifests, "Deployment").values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert [rule["resourceNames"] for rule in rules if "resourceNames" in rule] == [
        ["other-operator"],
        ["other-status-reader"],
    ]
    assert {"--lease-name=other-operator", "--status-account=other-status-reader"} <= {*container["args"]}
    assert "other-status-reader" in of_kind(manifests, "ServiceAccount")
    assert not [name for _, name in _rights(manifests) if not name.startswith("other-")]


def test_namespaces_get_roles_of_their_own(helm: Helm) -> None:
    """With watchNamespaces the operator may do nothing elsewhere but see what is of the whole cluster."""
    manifests = helm.rendered({"watchNamespaces": ["models", NAMESPACE]}, "--no-hooks")
    rights, bound = _rights(manifests), _bound(manifests)
    roles = [each for each in manifests if (each["kind"], each["metadata"]["name"]) == ("Role", "chimera-operator")]

    assert ("ClusterRole", "chimera-operator") not in rights
    assert bound["Role", "chimera-operator"] == [("models", "chimera-operator"), (NAMESPACE, "chimera-operator")]
    (shared,) = [each for each in _file("operator") if (each["kind"], each["metadata"]["name"]) == _OPERATOR]
    assert [(each["metadata"]["namespace"], each["rules"]) for each in roles] == [
        ("models", shared["rules"]),
        (NAMESPACE, shared["rules"]),
    ]
    assert bound["ClusterRole", "chimera-operator-capacity"] == [("", "chimera-operator")]


_OPERATOR = ("ClusterRole", "chimera-operator")


@pytest.mark.parametrize("hooks", [(), ("--no-hooks",)], ids=["with the test", "without"])
def test_nothing_of_the_cluster_need_be_touched(helm: Helm, hooks: tuple[str, ...]) -> None:
    """A release for some namespaces can do without any object outside them."""
    values = {
        "watchNamespaces": ["models"],
        "rbac": {"observeCluster": False, "aggregateClusterRoles": False},
        "statusReader": {"create": False},
        "pickerAccess": {"create": False},
        "crds": {"enabled": False},
    }

    assert not [each for each in helm.rendered(values, *hooks) if "namespace" not in each["metadata"]]


def test_readers_of_metrics_are_named(helm: Helm) -> None:
    """Prometheus reads the metrics of pickers once the values name its account."""
    reader = {"kind": "ServiceAccount", "namespace": "monitoring", "name": "prometheus"}
    manifests = helm.rendered({"pickerAccess": {"metricsReaders": [reader]}})

    assert of_kind(manifests, "ClusterRoleBinding")["chimera-metrics-reader"]["subjects"] == [reader]


def test_accounts_of_others_are_taken(helm: Helm) -> None:
    """With rights and accounts from elsewhere the chart makes none, and the operator uses those."""
    values = {
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "theirs"},
        "statusReader": {"create": False, "name": "their-reader"},
    }
    manifests = helm.rendered(values, "--no-hooks")
    (deployment,) = of_kind(manifests, "Deployment").values()
    pod = deployment["spec"]["template"]["spec"]

    assert not of_kind(manifests, "ServiceAccount")
    assert not [each for each in manifests if each["kind"].endswith("Binding")]
    assert pod["serviceAccountName"] == "theirs"
    assert "--status-account=their-reader" in pod["containers"][0]["args"]
