"""What the chart becomes is what Kubernetes takes, whatever its values are."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
from charts import CHART, EVERYTHING, INSTALL, MONITORING, NAMESPACE, Helm, Manifest, of_kind, plain, served
from pod_security import breaches
from rendered_pools import rendered

from chimera_operator.api.crds import definitions
from chimera_operator.api.parse import parse_resource

SITUATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "namespaces": {"watchNamespaces": ["models", NAMESPACE]},
    "no rights on the cluster": {
        "watchNamespaces": ["models"],
        "rbac": {"observeCluster": False, "aggregateClusterRoles": False},
        "statusReader": {"create": False},
        "pickerAccess": {"create": False},
        "crds": {"enabled": False},
    },
    "rights by others": {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "operator"}},
    "names": {"fullnameOverride": "models-operator-of-the-department-of-very-long-names", "nameOverride": "other"},
    "little": {
        "replicaCount": 1,
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "test": {"enabled": False},
        "topologySpreadConstraints": [],
    },
}
OF_OTHERS = ("monitoring.coreos.com/", "chimera.dev/")
OLDEST, NEWEST = 29, 36  # minor versions of Kubernetes


@pytest.fixture(params=SITUATIONS, scope="module")
def situation(request: pytest.FixtureRequest) -> str:
    """Return each in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def manifests(helm: Helm, situation: str) -> list[Manifest]:
    """Return what the chart becomes in a cluster with Prometheus' operator."""
    return helm.rendered(SITUATIONS[situation], *served(MONITORING))


def _pods(manifests: list[Manifest]) -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in of_kind(manifests, "Deployment").values())
    yield from (each["spec"] for each in of_kind(manifests, "Pod").values())


def test_lint_has_nothing_to_say(helm: Helm) -> None:
    """Helm's own rules are kept, warnings included."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_every_object_keeps_its_schema(manifests: list[Manifest]) -> None:
    """Strictly, in every Kubernetes that the chart is for; what others define is theirs to check."""
    for manifest in manifests:
        if not manifest["apiVersion"].startswith(OF_OTHERS) and manifest["kind"] != "CustomResourceDefinition":
            _validate(json.dumps(manifest))


@cache
def _validate(manifest: str) -> None:
    """Validate an object, once for all situations that have it as it is: each takes a tenth of a second."""
    for minor in range(OLDEST, NEWEST + 1):
        kubernetes_validate.validate(json.loads(manifest), f"1.{minor}", strict=True)


def test_every_pod_keeps_the_restricted_profile(manifests: list[Manifest]) -> None:
    """In a namespace that enforces it the operator and the test run, on a root that nothing writes to."""
    for pod in _pods(manifests):
        assert breaches(pod) == []
        assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in pod["containers"])


def test_every_object_is_labelled_and_named_as_objects_are(manifests: list[Manifest], situation: str) -> None:
    """Whatever is asked for, names fit, labels say whose an object is, and no two objects are one."""
    ours = [each for each in manifests if each["metadata"]["name"] not in {"chimera-more", "chimera-text"}]

    for each in ours:
        labels = each["metadata"]["labels"]
        assert len(each["metadata"]["name"]) <= 63
        assert (labels["app.kubernetes.io/part-of"], labels["app.kubernetes.io/instance"]) == ("chimera", "chimera")
        assert labels.items() >= SITUATIONS[situation].get("commonLabels", {}).items()
    keys = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in manifests]
    assert len(keys) == len(set(keys))


def test_selectors_find_the_pods(manifests: list[Manifest]) -> None:
    """Deployment, budget, policy and monitors mean the operator's pods, and nothing the test's."""
    (deployment,) = of_kind(manifests, "Deployment").values()
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    policies = [each["spec"]["podSelector"] for each in of_kind(manifests, "NetworkPolicy").values()]
    kinds = ("Deployment", "PodDisruptionBudget", "PodMonitor", "ServiceMonitor")
    selectors = [each["spec"]["selector"] for kind in kinds for each in of_kind(manifests, kind).values()]

    for selector in (*selectors, *policies):
        assert pods.items() >= selector["matchLabels"].items()
        for test in of_kind(manifests, "Pod").values():
            assert not test["metadata"]["labels"].items() >= selector["matchLabels"].items()


def test_everything_is_there_that_was_asked_for(helm: Helm) -> None:
    """Monitors, alerts, dashboards and any other objects; the first three only where their kinds are served."""
    manifests = helm.rendered(EVERYTHING, *served(MONITORING))

    assert (
        of_kind(manifests, "PodMonitor").keys() == of_kind(manifests, "ServiceMonitor").keys() == {"chimera-operator"}
    )
    assert of_kind(manifests, "PrometheusRule")["chimera"]["metadata"]["labels"]["release"] == "prometheus"
    maps = of_kind(manifests, "ConfigMap")
    assert maps.keys() >= {"chimera-more", "chimera-text"}
    pages = [json.loads(text) for name, each in maps.items() if "dashboard" in name for text in each["data"].values()]
    assert {page["title"] for page in pages} == {"Chimera / Operator", "Chimera / Picker", "Chimera / Pool"}
    assert {"PodMonitor", "ServiceMonitor", "PrometheusRule"}.isdisjoint(
        each["kind"] for each in helm.rendered(EVERYTHING)
    )


def test_definitions_stay_unless_told_otherwise(helm: Helm) -> None:
    """With the definitions of its resources all pools would go."""
    names = {"heterogeneousmodelpools.chimera.dev", "pooledmodels.chimera.dev"}
    kept = of_kind(helm.rendered(), "CustomResourceDefinition")
    loose = of_kind(helm.rendered({"crds": {"keep": False}}), "CustomResourceDefinition")

    assert kept.keys() == loose.keys() == names
    assert {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in kept.values()} == {"keep"}
    assert not any("annotations" in each["metadata"] for each in loose.values())


def test_definitions_are_those_of_the_types(helm: Helm) -> None:
    """Word for word, whatever Helm makes of numbers and texts on the way."""
    for name, definition in of_kind(helm.rendered(), "CustomResourceDefinition").items():
        assert definition["spec"] == definitions()[name]["spec"]


def test_images_have_registry_and_digest(helm: Helm) -> None:
    """One registry goes before all images, and a digest wins over a tag."""
    (deployment,) = of_kind(helm.rendered(EVERYTHING), "Deployment").values()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["image"] == f"registry.example.com/chimera/chimera-operator@sha256:{'0' * 64}"
    assert "--picker-image=registry.example.com/chimera/chimera-router:0.1.0" in container["args"]
    assert "--simulator-image=registry.example.com/chimera/chimera-simulator:0.1.0" in container["args"]


def test_pool_of_the_test_is_a_pool(helm: Helm) -> None:
    """What `helm test` makes is what the operator reads, in a namespace where it looks."""
    for values, namespace in ({}, NAMESPACE), ({"watchNamespaces": ["models"]}, "models"):
        text = of_kind(helm.rendered(values), "ConfigMap")["chimera-test"]["data"]["pool.json"]
        pool = parse_resource(json.loads(text))

        assert pool.metadata.namespace == namespace
        assert rendered(json.loads(text))  # or nobody would look after it
        assert [model.name for model in pool.spec.models] == ["small", "large"]


def test_plain_install_is_current(helm: Helm) -> None:
    """Whoever changes the chart sees and shows what changes: `python tests/support/charts.py`."""
    assert plain(helm) == INSTALL.read_text()
