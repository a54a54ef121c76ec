"""What becomes of pods on nodes that kwok plays: they serve after a moment, or as the name of their model says."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chimera_operator.api.names import MODEL_LABEL

SLOW = "slow"  # loads for LOADING seconds
CRASHING = "crashing"  # ends with exit code CRASHED, again and again
KILLED = "out-of-memory"  # is killed by the kernel, again and again
NO_IMAGE = "no-image"  # its image cannot be pulled
FATES = (SLOW, CRASHING, KILLED, NO_IMAGE)

LOADING = 3.0
CRASHED = 3
OUT_OF_MEMORY = 137  # 128 and SIGKILL

_MODEL = f'.metadata.labels["{MODEL_LABEL}"]'
_READY = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_DELETED = ".metadata.deletionTimestamp"
_PHASE = ".status.phase"


def write(path: Path) -> None:
    """Write all stages to a file, as kwok reads them."""
    path.write_text("\n---\n".join(json.dumps(stage) for stage in _stages()))


def _stages() -> Iterator[dict[str, Any]]:
    alive, waiting, running = (_DELETED, "DoesNotExist"), (_PHASE, "In", "Pending"), (_PHASE, "In", "Running")
    ready = {"ready": True, "started": True, "restartCount": 0, "state": {"running": {"startedAt": "NOW"}}}
    loading = {**ready, "ready": False, "started": False}
    yield _stage("Node", "ready", [(_READY, "NotIn", "True")], {"statusTemplate": _NODE})
    yield _stage("Pod", "gone", [(_DELETED, "Exists")], {"finalizers": {"empty": True}, "delete": True})
    yield _stage("Pod", "serving", [alive, waiting, (_MODEL, "NotIn", *FATES)], _becomes("Running", "True", ready))
    yield _stage("Pod", "loading", [alive, waiting, (_MODEL, "In", SLOW)], _becomes("Running", "False", loading))
    loaded = [alive, running, (_MODEL, "In", SLOW), (_READY, "NotIn", "True")]
    yield _stage("Pod", "loaded", loaded, _becomes("Running", "True", ready), seconds=LOADING)
    for model, code, reason in ((CRASHING, CRASHED, "Error"), (KILLED, OUT_OF_MEMORY, "OOMKilled")):
        ended = {"exitCode": code, "reason": reason, "startedAt": "NOW", "finishedAt": "NOW"}
        again = {**_waiting("CrashLoopBackOff", "back-off"), "restartCount": 3, "lastState": {"terminated": ended}}
        yield _stage("Pod", model, [alive, waiting, (_MODEL, "In", model)], _becomes("Running", "False", again))
    pulled = [alive, waiting, (_MODEL, "In", NO_IMAGE), (".status.startTime", "DoesNotExist")]
    refused = _waiting("ImagePullBackOff", "Back-off pulling image: not found")
    yield _stage("Pod", NO_IMAGE, pulled, _becomes("Pending", "False", refused))


def _stage(
    kind: str, name: str, when: Sequence[tuple[str, ...]], then: Mapping[str, Any], *, seconds: float = 0.0
) -> dict[str, Any]:
    wanted = [
        {"key": key, "operator": operator, **({"values": values} if values else {})} for key, operator, *values in when
    ]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": f"{kind.lower()}-{name}"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": wanted},
            "delay": {"durationMilliseconds": round(seconds * 1000)},
            "next": dict(then),
        },
    }


def _becomes(phase: str, ready: str, container: Mapping[str, Any]) -> dict[str, str]:
    """Return the template of a pod's status; each of its containers is like this."""
    fields = json.dumps(container).replace('"NOW"', "{{ $now | Quote }}").removeprefix("{")
    return {"statusTemplate": _POD.replace("PHASE", phase).replace("READY", ready).replace("FIELDS", fields)}


def _waiting(reason: str, message: str) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"ready": False, "started": False, "restartCount": 0, "state": state}


_NODE = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }},
   lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
"""

_POD = """
{{ $now := Now }}
{{ $ip := .status.podIP }}
phase: PHASE
startTime: {{ $now | Quote }}
{{ with .metadata }}{{ $ip = or $ip ( PodIPWith $.spec.nodeName false .uid .name .namespace ) }}{{ end }}
podIP: {{ $ip | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "READY", lastTransitionTime: {{ $now | Quote }}}
- {type: Ready, status: "READY", lastTransitionTime: {{ $now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", FIELDS
{{ end }}
"""
