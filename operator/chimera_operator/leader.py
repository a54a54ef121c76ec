"""What only the leader does."""

import asyncio
from collections.abc import Mapping

import structlog

from chimera_operator.assembly import Assembly
from chimera_operator.cluster.lease import Lease
from chimera_operator.handlers import PoolWatch

STUCK = 900.0  # seconds without a word or a question of a watch: longer than any watch lasts

_log = structlog.get_logger()


class Leader:
    """One operator, from the moment it leads.

    Args:
        parts: Of the operator.
        pool_watch: Tells the parts of pools.
        lease: Held by whoever leads.
    """

    def __init__(self, parts: Assembly, pool_watch: PoolWatch, lease: Lease) -> None:
        self._parts = parts
        self._pool_watch = pool_watch
        self._lease = lease
        self._ready = False

    def silence(self) -> Mapping[str, float]:
        """Return by resource the seconds since its watch heard or asked anything; nothing before this one leads."""
        return self._parts.mirrors.silence() if self._lease.held else {}

    def stuck(self) -> str:
        """Return which watches have not moved for too long; empty where all do."""
        late = [name for name, seconds in self.silence().items() if seconds > STUCK]
        return f"no word of {', '.join(late)}" if late else ""

    def unready(self) -> str:
        """Return in a few words why no pool is looked at yet; empty where they are, or by another one."""
        return "" if self._ready or not self._lease.held else "not everything in the cluster is known yet"

    async def run(self) -> None:
        """Lead, for ever.

        Raises:
            LeaseLost: Somebody else may lead.
        """
        parts = self._parts
        async with asyncio.TaskGroup() as group:
            for work in (self._lease.keep(), parts.mirrors.run()):
                group.create_task(work)
            await parts.known()
            self._ready = True
            _log.info("everything is known", pools=len(parts.pools))
            for work in (parts.recorder.run(), parts.controller.run(), parts.sweep(), self._pool_watch.run()):
                group.create_task(work)
