"""Kubernetes' restricted profile of Pod Security as rules: what a pod does that it must not.

From "Pod Security Standards" of the Kubernetes documentation, version 1.36.
"""

from collections.abc import Iterator
from typing import Any

VOLUMES = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
        *("persistentVolumeClaim", "projected", "secret"),
    )
)


def breaches(pod: dict[str, Any]) -> list[str]:
    """Return each rule that the spec of a pod breaks, with the place."""
    return [*_of_pod(pod), *(breach for each in _containers(pod) for breach in _of_container(pod, each))]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _of_pod(pod: dict[str, Any]) -> Iterator[str]:
    yield from (f"{field} is true" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    for volume in pod.get("volumes", []):
        (kind,) = volume.keys() - {"name"}
        if kind not in VOLUMES:
            yield f"volume {volume['name']} is of the kind {kind}"


def _of_container(pod: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**pod.get("securityContext", {}), **own}
    capabilities = own.get("capabilities", {})
    rules = {
        "is not privileged": not own.get("privileged"),
        "cannot gain privileges": own.get("allowPrivilegeEscalation") is False,
        "drops all capabilities": capabilities.get("drop") == ["ALL"],
        "adds none": set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"},
        "runs as somebody": context.get("runAsNonRoot") is True and context.get("runAsUser") != 0,
        "has the runtime's seccomp profile": context.get("seccompProfile") == {"type": "RuntimeDefault"},
        "has no port of the node": not any("hostPort" in port for port in container.get("ports", [])),
        "has the default proc": context.get("procMount", "Default") == "Default",
        "has no unsafe sysctls": not context.get("sysctls"),
    }
    yield from (f"{container['name']} does not keep: {rule}" for rule, kept in rules.items() if not kept)
