"""Pools as what they become in a cluster: the samples, what is known of the cluster, and ways to find an object."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from chimera_operator.api.parse import parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import kinds
from chimera_operator.rendering.choices import Choice, Placement
from chimera_operator.rendering.facts import Facts, ParentKey
from chimera_operator.rendering.gateway.integration import ENVOY_GATEWAY, ISTIO
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import Manifest
from chimera_operator.rendering.pool import render
from chimera_operator.rendering.profiles import newest

UID = "0b7d4a0e-9c39-4d37-a0d5-7f5a6b7c8d9e"
SAMPLES = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((Path(__file__).resolve().parents[2] / "manifests" / "samples").glob("*.yaml"))
}

FACTS = Facts(
    apis=frozenset(map(str, kinds.OPTIONAL)),
    version=(1, 36),
    controllers={ParentKey("models", "inference"): ISTIO},
    picker_image="registry.example.com/chimera-router:0.1.0",
    simulator_image="registry.example.com/chimera-simulator:0.1.0",
    operator_namespace="chimera-system",
    operator_labels={"app.kubernetes.io/name": "chimera-operator"},
)
ENVOY = replace(FACTS, controllers={ParentKey("models", "inference"): ENVOY_GATEWAY})
GATEWAY = {"parentRefs": [{"name": "inference"}], "hostnames": ["llm.example.com"]}

SITUATIONS: Mapping[str, tuple[dict[str, Any], Facts]] = {
    **{name: (document, FACTS) for name, document in SAMPLES.items()},
    "one-gpu-type.envoy-gateway": (SAMPLES["one-gpu-type"], ENVOY),
}
"""What is rendered for the golden files: every sample, and one of them where Envoy Gateway has the Gateway."""


def in_cluster(document: Mapping[str, Any]) -> HeterogeneousModelPool:
    """Return a document's pool as the API server of a cluster would have it, in the namespace `models`."""
    metadata = {"namespace": "models", "uid": UID, **document["metadata"]}
    return parse_resource({**document, "metadata": metadata})


def choices(pool: HeterogeneousModelPool, *, replicas: int = 1) -> dict[str, Choice]:
    """Return what planning might decide: every alternative has replicas, and what is scaled elsewhere is left out."""
    return {
        model.name: Choice(
            profile=model.engine.profile or newest(model.engine).name,
            placements=tuple(
                Placement(accelerator=accelerator, replicas=replicas, strategy="Surge")
                for accelerator in model.accelerators or (None,)
            ),
            wished=None if model.scaling.external else model.scaling.first_replicas,
        )
        for model in pool.spec.models
    }


def rendered(document: Mapping[str, Any], facts: Facts = FACTS) -> tuple[Manifest, ...]:
    """Return everything that a document's pool becomes."""
    pool = in_cluster(document)
    return render(pool, choices(pool), facts)


def of_kind(manifests: Iterable[Manifest], kind: Kind) -> list[Manifest]:
    """Return the objects of a kind."""
    return [manifest for manifest in manifests if (manifest["apiVersion"], manifest["kind"]) == kind]


def only(manifests: Iterable[Manifest], kind: Kind, *, component: str = "") -> Manifest:
    """Return the one object of a kind, of a component if one is given."""
    (found,) = [
        manifest
        for manifest in of_kind(manifests, kind)
        if component in {"", manifest["metadata"]["labels"]["app.kubernetes.io/component"]}
    ]
    return found


def pod_of(deployment: Manifest) -> Manifest:
    """Return the spec of a Deployment's pods."""
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def pods_of(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Return the specs of all pods."""
    return [pod_of(deployment) for deployment in of_kind(manifests, kinds.DEPLOYMENT)]


def environment_of(container: Manifest) -> dict[str, Any]:
    """Return the variables of a container: values, or where they are from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def options_of(container: Manifest) -> dict[str, list[str]]:
    """Return the options of a container's arguments with their values; what stands before them is under ``."""
    found: dict[str, list[str]] = {"": []}
    option = ""
    for word in container["args"]:
        if word.startswith("--"):
            option = word
            found[option] = []
        else:
            found[option].append(word)
    return found
