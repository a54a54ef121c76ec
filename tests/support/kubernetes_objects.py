"""Kubernetes' objects, and what its API server says of them, as it writes them."""

import json
from collections.abc import Mapping
from typing import Any

MODEL = "chimera.dev/model"


def pod(name: str, ip: str = "10.0.0.1", *, ready: str = "True", **metadata: Any) -> dict[str, Any]:
    """Return a pod of the application `engines`, with the model `small` unless its labels say otherwise."""
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]
    whole = {"name": name, "labels": {"app": "engines", MODEL: "small"}, **metadata}
    status = {"phase": "Running", "conditions": conditions, **({"podIP": ip} if ip else {})}
    return {"metadata": whole, "spec": {"containers": []}, "status": status}


def pool(*ports: int, name: str = "pool", **labels: str) -> dict[str, Any]:
    """Return an InferencePool that selects the application `engines` unless told other labels."""
    spec = {"selector": {"matchLabels": labels or {"app": "engines"}}, "targetPorts": [{"number": n} for n in ports]}
    return {"metadata": {"name": name}, "spec": spec}


def config_map(**data: str) -> dict[str, Any]:
    """Return the ConfigMap `config`; underlines in keys are dots."""
    return {"metadata": {"name": "config"}, "data": {key.replace("_", "."): text for key, text in data.items()}}


def page(*objects: Mapping[str, Any], version: int = 1) -> bytes:
    """Return a list."""
    return json.dumps({"metadata": {"resourceVersion": str(version)}, "items": objects}).encode()


def event(kind: str, found: Mapping[str, Any], *, version: int = 2) -> bytes:
    """Return a line of a watch."""
    whole = {**found, "metadata": {**found["metadata"], "resourceVersion": str(version)}}
    return json.dumps({"type": kind, "object": whole}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    """Return the line that only says how far the watch is."""
    return event("BOOKMARK", {"metadata": {}}, version=version)


def trouble(code: int) -> bytes:
    """Return the line that ends a watch with an error."""
    status = {"kind": "Status", "code": code, "reason": "canary", "message": "canary"}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
