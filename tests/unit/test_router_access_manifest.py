"""The roles that ship fit the pages that are served."""

from pathlib import Path
from typing import Any

import yaml

from chimera_router.feedback.report import PATH as FEEDBACK
from chimera_router.management.pages import EXPLAIN, METRICS, STATUS

MANIFEST = Path(__file__).parents[2] / "manifests" / "rbac" / "picker-auth.yaml"


def roles() -> dict[str, list[dict[str, Any]]]:
    return {role["metadata"]["name"]: role["rules"] for role in yaml.safe_load_all(MANIFEST.read_text())}


def test_picker_may_create_both_reviews_and_nothing_else() -> None:
    """Its rights are two verbs on the cluster."""
    rules = roles()["chimera-picker-auth"]

    assert [(rule["apiGroups"], rule["resources"], rule["verbs"]) for rule in rules] == [
        (["authentication.k8s.io"], ["tokenreviews"], ["create"]),
        (["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ]


def test_every_page_has_a_role() -> None:
    """What callers need to have each page is in a role of their own, by the page's path and method."""
    callers = [rule for name, rules in roles().items() if name != "chimera-picker-auth" for rule in rules]

    assert {(*rule["verbs"], *rule["nonResourceURLs"]) for rule in callers} == {
        ("get", METRICS),
        ("get", STATUS),
        ("post", EXPLAIN),
        ("post", FEEDBACK),
    }
