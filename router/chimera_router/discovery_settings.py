"""Read the discovery part of a RouterConfig: where endpoints come from."""

import math
from dataclasses import dataclass
from pathlib import Path

from chimera_proto.config.v1alpha1 import router_config_pb2 as proto
from chimera_router.errors import ConfigError

# Seconds. By then an API server's restart or upgrade is over, and a pod's address may be another's.
DEFAULT_MAX_AGE = 600.0
MIN_MAX_AGE = 120.0  # seconds; where nothing happens the API server is asked every 45 to 90


@dataclass(frozen=True, slots=True)
class FileDiscovery:
    """Endpoints that a file lists."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesDiscovery:
    """Endpoints that an InferencePool and its pods make.

    Attributes:
        namespace: Of the InferencePool and its pods.
        inference_pool: Its name.
        max_age: Seconds for which they stay in use after the API server last confirmed them.
    """

    namespace: str
    inference_pool: str
    max_age: float = DEFAULT_MAX_AGE


Discovery = FileDiscovery | KubernetesDiscovery


def discovery(message: proto.Discovery, *, base: Path) -> Discovery:
    """Return where endpoints come from; a relative path starts at `base`.

    Raises:
        ConfigError: It breaks a rule.
    """
    match message.WhichOneof("source"):
        case "file" if message.file.path:
            return FileDiscovery(base / message.file.path)
        case "file":
            raise ConfigError("discovery.file.path: must be set")
        case "kubernetes":
            return _kubernetes(message.kubernetes)
        case _:
            raise ConfigError("discovery: needs a source, file or kubernetes")


def _kubernetes(message: proto.KubernetesDiscovery) -> KubernetesDiscovery:
    if not (message.namespace and message.inference_pool):
        raise ConfigError("discovery.kubernetes: namespace and inferencePool must be set")
    max_age = message.max_age_seconds or DEFAULT_MAX_AGE
    if not MIN_MAX_AGE <= max_age < math.inf:
        raise ConfigError(f"discovery.kubernetes.maxAgeSeconds: must be at least {MIN_MAX_AGE:.0f}, and finite")
    return KubernetesDiscovery(namespace=message.namespace, inference_pool=message.inference_pool, max_age=max_age)
