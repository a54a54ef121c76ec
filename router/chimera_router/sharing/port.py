"""The seam between one picker's program table and those of the others."""

from collections.abc import Sequence
from typing import Protocol

from chimera_router.workflow.program import Program
from chimera_router.workflow.recall import Lookup, Sighting


class SharedWorkflows(Protocol):
    """What all pickers of a pool know of its workflows. A picker that has none remembers alone."""

    async def look_up(self, lookup: Lookup) -> tuple[Sighting, ...]:
        """Return what other pickers know; nothing where they do not say so in time. Never raises."""

    def tell(self, program: Program, keys: Sequence[bytes]) -> None:
        """Let the others know what has become of a workflow, and which digests lead to it. Never waits."""
