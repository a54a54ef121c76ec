"""Alerts and dashboards ask for what is exported, by labels that it has."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from exported_metrics import ROOT, exported

from chimera_operator.telemetry.metrics import Metrics as OperatorMetrics
from chimera_router.telemetry.metrics import Metrics as RouterMetrics

ALERTS = ROOT / "manifests" / "alerts" / "chimera.yaml"
DASHBOARDS = sorted((ROOT / "manifests" / "dashboards").glob("*.json"))
OF_TARGETS = {"namespace", "pod", "chimera_dev_pool", "chimera_dev_model"}
"""Labels that monitors of pools add to everything."""

_SELECTOR = re.compile(r"((?:chimera_|vllm:)\w+)(?:{([^}]*)})?")
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_MATCHER = re.compile(r'(\w+)\s*[=!]~?\s*"')


def _rules() -> dict[str, dict[str, str]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def _questions() -> Iterator[tuple[str, str]]:
    for name, rule in _rules().items():
        yield name, rule["expr"]
    for path in DASHBOARDS:
        page = json.loads(path.read_text())
        for panel in page["panels"]:
            for target in panel["targets"]:
                yield f"{page['title']}: {panel['title']}", target["expr"]
        for variable in page["templating"]["list"][1:]:
            yield f"{page['title']}: {variable['name']}", variable["query"]["query"].removesuffix(", chimera_dev_pool)")


QUESTIONS = list(_questions())
questions = pytest.mark.parametrize("expression", [each for _, each in QUESTIONS], ids=[name for name, _ in QUESTIONS])
EXPORTED = exported()


@questions
def test_every_metric_exists_with_its_labels(expression: str) -> None:
    """What is asked for, and by what it is told apart and added up, is what the code exports."""
    asked = dict(_SELECTOR.findall(_GROUPING.sub("", expression)))

    assert asked.keys() <= EXPORTED.keys()
    for name, matchers in asked.items():
        assert {*_MATCHER.findall(matchers)} <= EXPORTED[name] | OF_TARGETS
    known = OF_TARGETS.union(*(EXPORTED[name] for name in asked))
    grouped = {label.strip() for labels in _GROUPING.findall(expression) for label in labels.split(",")}
    assert grouped <= known


def test_every_metric_of_a_registry_is_known() -> None:
    """What the test above goes by has all that picker and operator register from the start."""
    registries = RouterMetrics().registry, OperatorMetrics().registry
    families = [family.name for registry in registries for family in registry.collect()]

    assert len(families) > 20
    for name in families:
        assert any(each.startswith(name) for each in EXPORTED)


def test_metrics_that_do_not_exist_are_noticed() -> None:
    """The test of names can fail."""
    with pytest.raises(AssertionError):
        test_every_metric_exists_with_its_labels("sum(chimera_requests)")
    with pytest.raises(AssertionError):
        test_every_metric_exists_with_its_labels('chimera_requests_total{code="429"}')
    with pytest.raises(AssertionError):
        test_every_metric_exists_with_its_labels("sum by (reason) (chimera_requests_total)")


def test_every_alert_says_what_to_do() -> None:
    """How bad it is, what it means, and what whoever is woken does about it."""
    for name, rule in _rules().items():
        assert name.startswith("Chimera")
        assert rule["labels"] in ({"severity": "warning"}, {"severity": "critical"})
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert len(rule["annotations"]["runbook"]) > 60


def test_labels_in_texts_are_left_by_expressions() -> None:
    """A text names no label that its expression has added away."""
    for rule in _rules().values():
        told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        groupings = _GROUPING.findall(rule["expr"])
        if told and groupings:
            assert told <= {label.strip() for label in groupings[0].split(",")} | _kept(rule["expr"])


def _kept(expression: str) -> set[str]:
    """Return the labels that an expression keeps which only compares series."""
    return OF_TARGETS | {"engine"} if " and on (" in expression else set()


def test_quoted_log_lines_are_logged() -> None:
    """A text that sends people to a line of the operator's log sends them to one that there is."""
    code = "".join(path.read_text() for path in (ROOT / "operator" / "chimera_operator").rglob("*.py"))
    texts = " ".join(rule["annotations"]["runbook"] for rule in _rules().values())

    for line in ("lease not acquired", "a pool could not be brought on"):
        assert line in texts
        assert f'"{line}"' in code
