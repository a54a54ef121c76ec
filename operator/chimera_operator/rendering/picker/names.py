"""What the picker's objects and ports are called."""

from chimera_operator.api.names import pool_object_name
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.manifest import namespace

EXT_PROC, MANAGEMENT, FEEDBACK = 9002, 9090, 9091
"""Ports: those of other pickers, and feedback over gRPC beside them."""

EXT_PROC_PORT, MANAGEMENT_PORT, FEEDBACK_PORT = "ext-proc", "management", "feedback"
"""Their names."""

CONFIG_KEY = "router.json"
"""Key of the RouterConfig in the picker's ConfigMap."""


def picker_name(pool: HeterogeneousModelPool) -> str:
    """Return what the picker's objects are called."""
    return pool_object_name(pool.metadata.name, "picker")


def picker_host(pool: HeterogeneousModelPool) -> str:
    """Return the name that a picker's certificate must have: that of its Service."""
    return f"{picker_name(pool)}.{namespace(pool)}.svc"
