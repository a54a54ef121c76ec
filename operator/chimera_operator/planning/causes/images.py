"""Images that cannot be pulled."""

import re

from chimera_operator.planning.causes.cause import Cause, Reason
from chimera_operator.planning.causes.texts import clean
from chimera_operator.planning.reading.pods import Container

WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
"""Kubernetes' words for a container whose image is not there."""

_WHY = {
    r"toomanyrequests|too many requests|\b429\b|rate limit": (
        "the registry limits how often it is asked; pod.imagePullSecrets with an account, or a mirror, raises the limit"
    ),
    r"unauthorized|authentication required|denied|forbidden|\b40[13]\b|no basic auth|insufficient_scope": (
        "the registry does not let the cluster read it, or has no such image; pod.imagePullSecrets names the Secret "
        "with an account"
    ),
    r"not found|manifest unknown|name unknown|\b404\b": "the registry has no such image or tag",
    r"no match for platform|no matching manifest": "the image is not made for the node's processor",
    r"no space left": "the node's disk is full",
    r"no such host|timeout|connection refused|unreachable|tls|x509|\beof\b": "the node does not reach the registry",
}
"""What registries and container runtimes write, in small letters, and what it means; the first found decides."""


def image_cause(container: Container) -> Cause | None:
    """Return why an image cannot be pulled, where that is what a container waits for."""
    if container.waiting not in WAITING:
        return None
    return Cause(
        reason=Reason.IMAGE,
        message=f"image {clean(container.image)} cannot be pulled: {_why(container)}",
        container=container.name,
    )


def _why(container: Container) -> str:
    match container.waiting:
        case "InvalidImageName":
            return "that is no name of an image"
        case "ErrImageNeverPull":
            return "it is not on the node, and engine.imagePullPolicy is Never"
    text = container.message.lower()
    return next(
        (why for pattern, why in _WHY.items() if re.search(pattern, text)),
        clean(container.message) or "no reason given",
    )
