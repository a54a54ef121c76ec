"""A cause, and the words that status has for causes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chimera_operator.planning.capacity.cards import Need


class Reason(StrEnum):
    """Why a replica does not serve, in one word."""

    UNSCHEDULABLE = "Unschedulable"
    """No node takes it: accelerators, CPU or memory are missing, or taints and labels keep it away."""
    VOLUME = "VolumeUnavailable"
    """A volume is not there: a claim is missing or unbound, or it cannot be mounted."""
    REFERENCE = "MissingReference"
    """A Secret or ConfigMap that the pod names, or a key in it, is missing."""
    QUOTA = "QuotaExceeded"
    """The namespace's quota lets no more pods in."""
    FORBIDDEN = "PodForbidden"
    """The API server refuses the pod: Pod Security, a limit range, an admission webhook."""
    IMAGE = "ImagePull"
    """An image cannot be pulled."""
    MEMORY = "OutOfMemory"
    """The container took more memory than its limit, or than its node had."""
    CUDA_MEMORY = "CudaOutOfMemory"
    """The accelerator's memory does not hold what the engine wants."""
    KV_CACHE = "KvCacheTooSmall"
    """The weights fit, the KV cache that remains does not hold one request."""
    GATED = "GatedRepository"
    """The hub does not let this token read the repository."""
    NO_REPOSITORY = "RepositoryNotFound"
    """The hub has no such repository or revision, or hides it from this token."""
    HUB = "HubUnreachable"
    """The hub does not answer, or refuses for now."""
    WEIGHTS = "WeightsUnreadable"
    """The weights cannot be read from where they are."""
    ARGUMENTS = "EngineArguments"
    """The engine does not take its arguments."""
    UNSUPPORTED = "UnsupportedModel"
    """The engine does not know this model."""
    ACCELERATOR = "AcceleratorUnusable"
    """The engine finds no accelerator that it can use, or too few."""
    DISK = "DiskFull"
    """A volume is full."""
    STARTUP = "StartupTimeout"
    """It did not serve within engine.startupSeconds."""
    CRASH = "CrashLoop"
    """It ends again and again."""
    CONTAINER = "ContainerNotCreated"
    """The node cannot make its container."""
    UNHEALTHY = "Unhealthy"
    """It served, and its readiness probe fails now."""
    EVICTED = "Evicted"
    """Its node took it away, for want of memory or disk."""
    PREEMPTED = "Preempted"
    """A pod of higher priority took its place."""
    NODE_LOST = "NodeLost"
    """Its node does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a replica does not serve.

    Attributes:
        reason: In one word.
        message: In a sentence that says what to do.
        pod: Its pod; empty where none could be made.
        container: The container that failed; empty where it was the pod.
        exit_code: What the container returned; None: it did not end.
        at: Since when, as far as objects tell.
    """

    reason: Reason
    message: str
    pod: str = ""
    container: str = ""
    exit_code: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a replica was expected to be.

    Attributes:
        need: The accelerators that it needs; None: none.
        startup: How long it may take until it serves.
        now: The time.
    """

    need: Need | None = None
    startup: timedelta
    now: datetime
