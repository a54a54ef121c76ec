"""What is kept of objects that no pool owns: as much as somebody reads. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from chimera_operator.planning.reading.nodes import ENDED, taken
from chimera_operator.planning.reading.objects import items, part
from chimera_operator.rendering.manifest import Manifest


def node(manifest: Manifest) -> Manifest:
    """Return a node's labels, taints and extended resources, which its kubelet's frequent reports leave as they are."""
    spec = {key: manifest["spec"][key] for key in ("taints", "unschedulable") if key in manifest.get("spec", {})}
    allocatable = {key: value for key, value in part(manifest, "status", "allocatable").items() if "/" in key}
    return {"metadata": _identity(manifest, "labels"), "spec": spec, "status": {"allocatable": allocatable}}


def consumer(manifest: Manifest) -> Manifest | None:
    """Return what a pod takes of its node's extended resources, and None where that is nothing."""
    phase, place = part(manifest, "status").get("phase"), part(manifest, "spec").get("nodeName")
    if not place or phase in ENDED or not taken(manifest):
        return None
    containers = {key: _resources(items(manifest, "spec", key)) for key in ("containers", "initContainers")}
    return {"metadata": _identity(manifest), "spec": {"nodeName": place, **containers}, "status": {"phase": phase}}


def gateway(manifest: Manifest) -> Manifest:
    """Return a Gateway without what changes with every route that joins it."""
    status = {key: value for key, value in manifest.get("status", {}).items() if key in {"addresses", "conditions"}}
    return {**manifest, "metadata": _identity(manifest, "generation"), "status": status}


def gateway_class(manifest: Manifest) -> Manifest:
    """Return who a GatewayClass belongs to."""
    spec = {"controllerName": part(manifest, "spec").get("controllerName")}
    return {"metadata": _identity(manifest), "spec": spec}


def warning(manifest: Manifest) -> Manifest:
    """Return what a warning is about, and when it was last given."""
    kept = ("regarding", "reason", "note", "type", "eventTime", "series", "deprecatedLastTimestamp")
    body = {key: manifest[key] for key in kept if manifest.get(key) is not None}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": _identity(manifest), **body}


def _identity(manifest: Manifest, *more: str) -> Manifest:
    return {key: value for key, value in manifest["metadata"].items() if key in {"name", "namespace", *more}}


def _resources(containers: Iterable[Mapping[str, Any]]) -> list[Manifest]:
    return [{"resources": container["resources"]} for container in containers if container.get("resources")]
