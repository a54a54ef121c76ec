"""Count pools and models by what was last seen of them."""

from collections import Counter
from collections.abc import Hashable

from chimera_operator.api.conditions import ConditionType
from chimera_operator.planning.result import Plan


class Census:
    """Counts pools by whether they are ready, and models by phase.

    Pools are told apart by whatever the caller calls them.
    """

    def __init__(self) -> None:
        self._ready: dict[Hashable, str] = {}
        self._phases: dict[Hashable, tuple[str, ...]] = {}

    def planned(self, pool: Hashable, plan: Plan) -> None:
        """A pool was looked at."""
        status = plan.status
        found = [each.status for each in status.conditions if each.type == ConditionType.READY]
        self._ready[pool] = found[0] if found else "Unknown"
        self._phases[pool] = tuple(model.phase for model in status.models)

    def gone(self, pool: Hashable) -> None:
        """There is no such pool any more."""
        self._ready.pop(pool, None)
        self._phases.pop(pool, None)

    def pools(self) -> Counter[str]:
        """Return the number of pools by the status of their condition Ready."""
        return Counter(self._ready.values())

    def models(self) -> Counter[str]:
        """Return the number of models by phase."""
        return Counter(phase for phases in self._phases.values() for phase in phases)
