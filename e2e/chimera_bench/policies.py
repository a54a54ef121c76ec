"""The policies that a bench compares, as the routing of a pool document."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.documents import with_routing


class PolicyName(StrEnum):
    """Chimera, and what it is measured against.

    `round-robin` spreads workflows blindly; `always-small` and `always-large` send everything to the first and to the
    last model of the pool, whose order is from small to large. These leave the engines' queues in order of arrival.
    """

    CHIMERA = "chimera"
    ROUND_ROBIN = "round-robin"
    ALWAYS_SMALL = "always-small"
    ALWAYS_LARGE = "always-large"


def under(policy: PolicyName, pool: HeterogeneousModelPool) -> HeterogeneousModelPool:
    """Return the pool under a policy; Chimera has the routing that the pool's document gives it."""
    return with_routing(pool, _routing(policy, pool))


def _routing(policy: PolicyName, pool: HeterogeneousModelPool) -> Mapping[str, Any]:
    match policy:
        case PolicyName.CHIMERA:
            return {}
        case PolicyName.ROUND_ROBIN:
            return {"policy": "RoundRobin", "order": "Arrival"}
        case PolicyName.ALWAYS_SMALL:
            return {"policy": "Static", "staticModel": pool.spec.models[0].name, "order": "Arrival"}
        case PolicyName.ALWAYS_LARGE:
            return {"policy": "Static", "staticModel": pool.spec.models[-1].name, "order": "Arrival"}
