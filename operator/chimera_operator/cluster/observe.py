"""One look at everything that a plan is made from."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.cluster.capacity import Capacity
from chimera_operator.cluster.demand import Demands
from chimera_operator.cluster.store import Name
from chimera_operator.cluster.view import View
from chimera_operator.planning.observed import Observed, asks_for_demand, asks_for_nodes
from chimera_operator.rendering.facts import Facts, ParentKey
from chimera_operator.rendering.manifest import namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Puts together what is known of a pool.

    Attributes:
        view: What the cluster has.
        capacity: Counts accelerators.
        demands: Asks pickers.
        facts: Returns what holds for all pools.
    """

    view: View
    capacity: Capacity
    demands: Demands
    facts: Callable[[], Facts]

    async def look(self, pool: HeterogeneousModelPool) -> Observed:
        """Return what is known of a pool now."""
        name = Name(namespace(pool), pool.metadata.name)
        nodes = await self.capacity.nodes() if asks_for_nodes(pool) else ()
        demand = await self.demands.ask(pool, self.view.pods(name)) if asks_for_demand(pool) else None
        # From here on nothing waits, so that all of it is of one moment.
        pods = self.view.pods(name)
        parents = self.view.parents(name, _parents(pool))
        return Observed(
            objects=self.view.children(name),
            pods=pods,
            events=self.view.warnings(pods),
            nodes=nodes,
            demand=demand,
            parents=parents,
            facts=replace(self.facts(), controllers=self.view.controllers(parents)),
        )


def _parents(pool: HeterogeneousModelPool) -> tuple[ParentKey, ...]:
    gateway = pool.spec.gateway
    references = (gateway.parent_refs or ()) if gateway else ()
    return tuple(ParentKey(each.namespace or namespace(pool), each.name) for each in references)
