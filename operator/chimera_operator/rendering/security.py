"""What pods may do: Kubernetes' restricted profile, in every pod that a pool becomes."""

from chimera_operator.rendering.manifest import Manifest
from chimera_operator.rendering.profiles.types import Account


def pod_security(account: Account | None = None) -> Manifest:
    """Return the security context of a pod.

    Args:
        account: Who runs it, where the image itself would have it run as root.
    """
    context: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if account:
        context |= {"runAsUser": account.user, "runAsGroup": account.group, "fsGroup": account.group}
        # Else the kubelet would change the owner of every file of a large volume at each start.
        context["fsGroupChangePolicy"] = "OnRootMismatch"
    return context


def container_security() -> Manifest:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def accelerated_security() -> Manifest:
    """Return the security context of a container with accelerators, whose runtime writes links and caches into it.

    NVIDIA's hooks update the cache of the dynamic linker there. The restricted profile asks for no read-only root.
    """
    return {**container_security(), "readOnlyRootFilesystem": False}
