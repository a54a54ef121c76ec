"""Whether new requests are welcome, and why not: one word for probes over HTTP, one status for those over gRPC."""

import asyncio
from collections.abc import Callable

from chimera_router.extproc.health import Health

LOOK = 0.1  # seconds between looks; probes come every second at most


class Readiness:
    """Says yes once the picker serves and knows its endpoints, and no from the moment on that it is asked to stop.

    Args:
        health: What gRPC probes are told.
        synced: Returns whether the endpoints are known; their source may change while the picker serves.

    Attributes:
        serving: Whether the port that gateways call is open.
        stopping: Whether a stop was asked for.
    """

    def __init__(self, health: Health, synced: Callable[[], bool]) -> None:
        self.serving = False
        self.stopping = False
        self._health = health
        self._synced = synced

    def why_not(self) -> str:
        """Return one word that says why new requests are not welcome; empty where they are."""
        if self.stopping:
            return "stopping"
        if not self.serving:
            return "starting"
        return "" if self._synced() else "endpoints"

    async def run(self) -> None:
        """Keep gRPC probes told, until cancelled."""
        while True:
            self._health.say(serving=not self.why_not())
            await asyncio.sleep(LOOK)
