"""The nodes and who takes their accelerators, looked at only once a pool asks for some.

The pods of a whole cluster are watched for this, and next to nothing of them is kept: of those with accelerators a
hundred bytes each, of all others nothing. Asking for them whenever a plan is made would cost the API server far more.
"""

from collections.abc import Callable

from chimera_operator.cluster import trims
from chimera_operator.cluster.mirrors import Mirrors, Reflection
from chimera_operator.cluster.resources import NODE, POD
from chimera_operator.cluster.store import Name, Store, Trim
from chimera_operator.cluster.watcher import Presence, Subject
from chimera_operator.planning.reading.nodes import Node, nodes
from chimera_operator.rendering.kinds import Kind

RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed,spec.nodeName!="}
FRESH = 1.0  # seconds that a count is used, however many pools are planned meanwhile; 40 ms with 1,000 nodes


class Capacity:
    """Counts accelerators.

    Args:
        mirrors: Runs what is needed for that.
        clock: Seconds, monotonic.
    """

    def __init__(self, mirrors: Mirrors, clock: Callable[[], float]) -> None:
        self._mirrors = mirrors
        self._clock = clock
        self._reflections: tuple[Reflection, Reflection] | None = None
        self._nodes: tuple[Node, ...] = ()
        self._changed = True
        self._counted_at = 0.0

    async def nodes(self) -> tuple[Node, ...]:
        """Return the nodes; none where the operator may not see them, so that nothing counts on what is not known."""
        if self._reflections is None:
            self._reflections = self._reflect(NODE, {}, trims.node), self._reflect(POD, RUNNING, trims.consumer)
        places, consumers = self._reflections
        await self._mirrors.settled()
        if any(each.presence is Presence.ABSENT for each in self._reflections):
            return ()
        if self._changed and self._clock() >= self._counted_at + FRESH:
            self._changed, self._counted_at = False, self._clock()
            self._nodes = nodes(places.store, consumers.store)
        return self._nodes

    def _reflect(self, kind: Kind, query: dict[str, str], trim: Trim) -> Reflection:
        return self._mirrors.add([Subject(kind=kind, query=query)], Store(self._note, trim))

    def _note(self, _name: Name, _pool: str) -> None:
        self._changed = True
