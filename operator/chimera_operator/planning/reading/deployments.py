"""Deployments: what they were told, and how far they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chimera_operator.api.names import ACCELERATOR_LABEL, MODEL_LABEL, REVISION_LABEL
from chimera_operator.planning.reading.objects import condition, generation_of, items, labels_of, name_of, part
from chimera_operator.rendering.choices import Strategy
from chimera_operator.rendering.manifest import Manifest

DEADLINE = "ProgressDeadlineExceeded"
"""Kubernetes' word for a rollout that has made no progress for `progressDeadlineSeconds`."""

FINISHED = "NewReplicaSetAvailable"
"""Kubernetes' word for a rollout that has come to its end, whatever became of the replicas later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A Deployment that there is.

    Attributes:
        manifest: The object.
        name: Its name.
        model: The model that its pods serve; empty: they are pickers.
        accelerator: What its pods run on, as their label says.
        revision: Revision of the pods that it makes now.
        replicas: How many it should have.
        strategy: How it replaces them.
        settled: Whether its rollout has come to its end.
        stalled: Whether Kubernetes has stopped to believe in its rollout.
        refused: Why no pod could be made, in Kubernetes' words; empty where pods can.
    """

    manifest: Manifest
    name: str
    model: str
    accelerator: str
    revision: str
    replicas: int
    strategy: Strategy
    settled: bool
    stalled: bool
    refused: str


def deployment(manifest: Manifest) -> Deployment:
    """Return the Deployment of an object."""
    spec, found = part(manifest, "spec"), items(manifest, "status", "conditions")
    failure, labels = condition(found, "ReplicaFailure"), labels_of(part(spec, "template"))
    return Deployment(
        manifest=manifest,
        name=name_of(manifest),
        model=labels.get(MODEL_LABEL, ""),
        accelerator=labels.get(ACCELERATOR_LABEL, ""),
        revision=labels.get(REVISION_LABEL, ""),
        replicas=int(spec.get("replicas", 1)),
        strategy=_strategy(part(spec, "strategy")),
        settled=_settled(manifest),
        stalled=_seen(manifest) and condition(found, "Progressing").get("reason") == DEADLINE,
        refused=failure.get("message", "") if failure.get("status") == "True" else "",
    )


def with_replicas(live: Manifest, replicas: int) -> Manifest:
    """Return what makes a Deployment keep all but its replicas: its pods go on as they are."""
    metadata = part(live, "metadata")
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences") if key in metadata}
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": kept,
        "spec": {**live["spec"], "replicas": replicas},
    }


def _strategy(strategy: Mapping[str, Any]) -> Strategy:
    if strategy.get("type") == "Recreate":
        return "Recreate"
    surge = part(strategy, "rollingUpdate").get("maxSurge", 1)
    return "InPlace" if str(surge).rstrip("%") == "0" else "Surge"


def _settled(manifest: Manifest) -> bool:
    status, wished = part(manifest, "status"), int(part(manifest, "spec").get("replicas", 1))
    if not _seen(manifest):
        return False
    updated, there = status.get("updatedReplicas", 0), status.get("replicas", 0)
    reason = condition(items(status, "conditions"), "Progressing").get("reason")
    return updated == there and (reason == FINISHED or {there, status.get("availableReplicas", 0)} == {wished})


def _seen(manifest: Manifest) -> bool:
    """Return whether the status is about what the Deployment was told last."""
    return int(part(manifest, "status").get("observedGeneration", 0)) >= generation_of(manifest)
