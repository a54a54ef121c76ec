"""Pods as the API server has them, in every state that kubelets and the scheduler leave them in."""

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""When tests look."""


def ago(seconds: float) -> str:
    """Return a time before that, as the API server writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(*containers: dict[str, Any], node: str = "node-1", **fields: Any) -> dict[str, Any]:
    """Return a pod of the model `small` with the containers' states.

    Args:
        containers: Statuses, as `running`, `waiting` and `ended` make them.
        node: Where it is; empty: it has no place, for which `unscheduled` says why.
        **fields: `ready`, `initial` (statuses of init containers), `unscheduled`, and parts of metadata and status.
    """
    ready, unscheduled = fields.pop("ready", False), fields.pop("unscheduled", "")
    initial = fields.pop("initial", ())
    since = fields.pop("ready_since", ago(600))
    scheduled: dict[str, Any] = {"type": "PodScheduled", "status": "True" if node else "False"}
    if not node:
        scheduled |= {"reason": fields.pop("unscheduled_reason", "Unschedulable"), "message": unscheduled}
    conditions = [
        {**scheduled, "lastTransitionTime": ago(300)},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": since},
        *fields.pop("conditions", ()),
    ]
    metadata = {
        "name": "small-1",
        "namespace": "default",
        "labels": {"chimera.dev/model": "small", "chimera.dev/revision": "r1"},
        "creationTimestamp": ago(600),
        "ownerReferences": [{"kind": "ReplicaSet", "name": "pool-small-abc-5d4f", "controller": True}],
        **fields.pop("metadata", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            **({"nodeName": node} if node else {}),
            "containers": [_spec(each) for each in containers],
            "initContainers": [_spec(each) for each in initial],
        },
        "status": {
            "phase": "Running" if node else "Pending",
            "conditions": conditions,
            "containerStatuses": list(containers),
            "initContainerStatuses": list(initial),
            **fields,
        },
    }


def running(seconds: float = 60, *, name: str = "engine", ready: bool = False, **fields: Any) -> dict[str, Any]:
    """Return the status of a container that runs, and has passed its startup probe where it is ready."""
    state = {"running": {"startedAt": ago(seconds)}}
    return {"name": name, "ready": ready, "started": ready, "restartCount": 0, "state": state, **fields}


def waiting(reason: str, message: str = "", *, name: str = "engine", **fields: Any) -> dict[str, Any]:
    """Return the status of a container that waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": name, "ready": False, "restartCount": 0, "state": state, **fields}


def end(exit_code: int, message: str = "", *, reason: str = "Error", ran: float = 30) -> dict[str, Any]:
    """Return how a container ended, half a minute ago."""
    return {
        "exitCode": exit_code,
        "reason": reason,
        "message": message,
        "startedAt": ago(30 + ran),
        "finishedAt": ago(30),
    }


def crashed(exit_code: int, message: str = "", *, restarts: int = 3, **fields: Any) -> dict[str, Any]:
    """Return the status of a container that ended and is held back from starting again."""
    name, reason, ran = fields.pop("name", "engine"), fields.pop("reason", "Error"), fields.pop("ran", 30)
    ended = {"terminated": end(exit_code, message, reason=reason, ran=ran)}
    return waiting("CrashLoopBackOff", name=name, restartCount=restarts, lastState=ended)


def _spec(status: dict[str, Any]) -> dict[str, Any]:
    limits = {"limits": {"memory": "16Gi"}}
    return {"name": status["name"], "image": "registry.example/engine:1", "resources": limits}
