"""Pods as pod security's restricted level wants them: nobody's, on a read-only root, without capabilities."""

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]


def container(image: str, **fields: object) -> Manifest:
    """Return a container."""
    rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    return {"name": "main", "image": image, "securityContext": rights, **fields}


def pod_spec(main: Manifest, **fields: object) -> Manifest:
    """Return what a pod, or a template of pods, is of one container."""
    rights = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"securityContext": rights, "terminationGracePeriodSeconds": 5, "containers": [main], **fields}


def pod(name: str, main: Manifest, *, labels: Mapping[str, str] | None = None, **fields: object) -> Manifest:
    """Return a pod of one container."""
    metadata = {"name": name, "labels": {"app": name, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(main, **fields)}


def service(name: str, port: int, target: int) -> Manifest:
    """Return the service of the pods that have the label app=NAME."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, replicas: int, main: Manifest) -> Manifest:
    """Return pods that have the label app=NAME."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(main)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def http_probe(path: str, port: int) -> Manifest:
    """Return a probe that asks each second."""
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1}
