"""GIE's conformance suite gets Chimera's picker in the place of its own, and nothing else than it had."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chimera_cluster.conformance import Asked, fixtures
from chimera_router.settings import parse

Manifest = dict[str, Any]

ROUTER = "localhost/chimera-router:1.2.3"
SPACE = "inference-conformance-app-backend"


def deployment(name: str, **container: object) -> Manifest:
    template = {"spec": {"containers": [dict(container)]}}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"replicas": 3, "template": template},
    }


@pytest.fixture
def suite() -> list[Manifest]:
    """Return what the suite has of each kind: an engine, a picker with its Service, and something else."""
    picker = {"image": "registry.example/lwepp:v1.6.0", "args": ["--pool-name", "primary", "--zap-encoder", "json"]}
    return [
        {"kind": "Namespace", "metadata": {"name": SPACE}},
        deployment("engines", image="registry.example/echo-basic:v1", env=[{"name": "HTTP_PORT", "value": "3000"}]),
        {"kind": "Service", "metadata": {"name": "primary-endpoint-picker-svc", "namespace": SPACE}, "spec": {}},
        deployment("primary-endpoint-picker", **picker),
    ]


@pytest.fixture
def made(suite: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    found = fixtures([None, *deepcopy(suite)], ROUTER)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def container(document: Manifest) -> Manifest:
    (found,) = document["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_every_picker_is_chimera(made: dict[tuple[str, str], Manifest]) -> None:
    """A picker becomes Chimera's, which heeds the suite's headers and reads rules that the picker itself takes."""
    picker = container(made["Deployment", "primary-endpoint-picker"])
    (config,) = (word.partition("=")[2] for word in picker["args"] if word.startswith("--config="))
    rules = json.loads(made["ConfigMap", "chimera-pickers"]["data"][Path(config).name])

    assert picker["image"] == ROUTER
    assert "--conformance-headers" in picker["args"]
    assert parse(json.dumps(rules), base=Path()).discovery.inference_pool == "primary"


def test_picker_is_asked_over_tls(made: dict[tuple[str, str], Manifest]) -> None:
    """Its Service gets what tells the gateway that nobody signed the certificate."""
    rule = made["DestinationRule", "primary-endpoint-picker-svc"]["spec"]

    assert rule["host"] == "primary-endpoint-picker-svc"
    assert rule["trafficPolicy"]["portLevelSettings"][0]["tls"]["insecureSkipVerify"]


def test_all_else_is_as_the_suite_has_it(suite: list[Manifest], made: dict[tuple[str, str], Manifest]) -> None:
    """Of engines only the image is another, of what is neither nothing."""
    namespace, engines, service, _ = suite
    container(engines)["image"] = "localhost/echo-basic:chimera"

    assert made["Namespace", SPACE] == namespace
    assert made["Deployment", "engines"] == engines
    assert made["Service", "primary-endpoint-picker-svc"] == service


@pytest.mark.parametrize(
    ("said", "flag"),
    [({"test": "OneTest"}, "-run-test=OneTest"), ({"skipped": ("One", "Another")}, "-skip-tests=One,Another")],
)
def test_which_tests_run_can_be_said(said: dict[str, Any], flag: str) -> None:
    """One alone, or all but some; where nothing is said, all."""
    asked, every = (Asked(report=Path("/report"), **each).flags(Path("/fixtures")) for each in (said, {}))

    assert set(asked) - set(every) == {flag}
    assert {"-fixtures=/fixtures", "-report-output=/report"} < set(every)
