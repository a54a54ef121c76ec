"""What a person is told who installs the chart."""

from typing import Any

import pytest
from charts import MONITORING, Helm

GATEWAYS = (
    "inference.networking.k8s.io/v1/InferencePool",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy",
)
REGISTRY: dict[str, Any] = {"global": {"imageRegistry": "registry.example.com"}}


def _warnings(notes: str) -> list[str]:
    return [line.removeprefix("WARNING: ") for line in notes.splitlines() if line.startswith("WARNING: ")]


def test_next_commands_are_of_this_release(helm: Helm) -> None:
    """Three commands come next: wait for the operator, try it, make a pool."""
    notes = helm.notes({"fullnameOverride": "other", "watchNamespaces": ["models", "more"]})
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  ") and " --" in line]

    assert "looks after pools of models in models, more." in notes
    assert commands[0] == "kubectl rollout status deployment/other-operator --namespace chimera-system"
    assert commands[1].startswith("helm test chimera --namespace chimera-system")
    assert commands[2].startswith("kubectl apply --filename")
    assert len(commands) == 3


def test_what_the_cluster_has_is_told(helm: Helm) -> None:
    """Of each optional API whether it was found, and what is missing without it."""
    without = helm.notes(REGISTRY)
    found = helm.notes(REGISTRY, *GATEWAYS, *MONITORING)

    assert without.count(" no: ") == 4
    assert "InferencePool        no: pickers find their engines by it" in without
    assert found.count(" yes\n") == 4
    assert " no: " not in found


def test_nothing_is_warned_of_where_nothing_is_amiss(helm: Helm) -> None:
    """With a registry the defaults are as they should be."""
    assert _warnings(helm.notes(REGISTRY)) == []


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"global": {"imageRegistry": ""}}, "global.imageRegistry is empty"),
        ({"crds": {"enabled": False}}, "crds.enabled is off and the cluster has no definitions"),
        ({"replicaCount": 1}, "replicaCount is below 2"),
        ({"watchNamespaces": ["a"], "rbac": {"observeCluster": False}}, "rbac.observeCluster is off"),
        ({"statusReader": {"create": False}}, "statusReader has neither create nor name"),
        (
            {"metrics": {"podMonitor": {"enabled": True}}},
            "metrics.podMonitor.enabled is on, but the cluster has no PodMonitor",
        ),
        (
            {"metrics": {"serviceMonitor": {"enabled": True}}},
            "metrics.serviceMonitor.enabled is on, but the cluster has",
        ),
        ({"prometheusRule": {"enabled": True}}, "prometheusRule.enabled is on, but the cluster has no PrometheusRule"),
    ],
)
def test_what_will_be_missed_is_warned_of(helm: Helm, values: dict[str, Any], warning: str) -> None:
    """A choice that takes something away says what, and only then."""
    (said,) = _warnings(helm.notes({**REGISTRY, **values}))

    assert said.startswith(warning)
