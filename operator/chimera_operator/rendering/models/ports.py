"""Where engines listen: one port for each copy of the weights in a pod."""

from chimera_operator.rendering.member import Member

FIRST = 8000  # vLLM's own

ACTIVE_PORTS = "inference.networking.k8s.io/active-ports"
"""Annotation of a pod: which of the pool's ports it serves. Another model of the pool may serve more."""


def port(rank: int) -> int:
    """Return where the copy of a rank listens."""
    return FIRST + rank


def port_name(rank: int) -> str:
    """Return what its port is called."""
    return "http" if rank == 0 else f"http-{rank}"


def active_ports(member: Member) -> str:
    """Return the value of the annotation."""
    return ",".join(str(port(rank)) for rank in range(member.model.parallelism.data))
