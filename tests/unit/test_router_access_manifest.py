"""The roles that ship fit the pages that are served."""

from pathlib import Path
from typing import Any

import yaml

from chimera_router.feedback.report import PATH as FEEDBACK
from chimera_router.management.pages import EXPLAIN, METRICS, STATUS

MANIFEST = Path(__file__).parents[2] / "manifests" / "rbac" / "picker-auth.yaml"


def roles() -> dict[str, list[dict[str, Any]]]:
    return {role["metadata"]["name"]: role["rules"] for role in yaml.safe_load_all(MANIFEST.read_text())}


def test_every_page_has_a_role() -> None:
    """What callers need to have each page is in a role of their own, by the page's path and method."""
    rules = [rule for of_role in roles().values() for rule in of_role]

    assert {(*rule["verbs"], *rule["nonResourceURLs"]) for rule in rules} == {
        ("get", METRICS),
        ("get", STATUS),
        ("post", EXPLAIN),
        ("post", FEEDBACK),
    }
