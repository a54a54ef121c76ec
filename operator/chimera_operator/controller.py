"""Look at every pool that something has changed about, and at every pool from time to time."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from chimera_operator.cluster import backoff
from chimera_operator.cluster.errors import ApiServerError, ClusterError, LeaseLost, PoolGone
from chimera_operator.cluster.store import Name
from chimera_operator.cluster.workqueue import WorkQueue
from chimera_operator.telemetry.logs import origin

WORKERS = 8  # pools at a time: they mostly wait for the API server
CAP = 30.0  # seconds at most until a pool that failed is tried again
RESYNC = 600.0  # seconds after which a pool is looked at though nothing has happened; that asks the API server nothing
SETTLING = 0.1  # seconds: changes come in handfuls, and one look sees them all

_log = structlog.get_logger()


class LookObserver(Protocol):
    """Counts looks; see `telemetry.metrics`."""

    def looked(self, outcome: str, seconds: float) -> None:
        """A pool was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """Works off a queue of pools.

    Attributes:
        reconcile: Brings one to what it should be; returns the seconds until the next look.
        observer: Counts.
        resync: Seconds after which a pool is looked at though nothing has happened.
        chance: Drawn evenly from 0 to 1.
        clock: Seconds, monotonic.
        queue: The pools that are due.
    """

    reconcile: Callable[[Name], Awaitable[float | None]]
    observer: LookObserver
    resync: float = RESYNC
    chance: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    queue: WorkQueue[Name] = field(default_factory=WorkQueue)
    _failures: Counter[Name] = field(default_factory=Counter)
    _not_before: dict[Name, float] = field(default_factory=dict)  # where the API server asked for time

    def wake(self, name: Name) -> None:
        """Look at a pool soon: something has changed about it, perhaps what made it fail."""
        self.queue.add(name, after=max(SETTLING, self._not_before.get(name, 0.0) - self.clock()))

    async def run(self) -> None:
        """Look at pools, for ever.

        Raises:
            LeaseLost: Somebody else may do that now.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            name = await self.queue.take()
            try:
                wait = await self._look(name)
            finally:
                self.queue.done(name)
            if wait is not None:
                self.queue.add(name, after=wait)

    async def _look(self, name: Name) -> float | None:
        """Look at a pool; return the seconds until the next time, None where nothing is left to look at."""
        began, wait = self.clock(), None
        try:
            again = await self.reconcile(name)
        except LeaseLost:
            raise
        except PoolGone:
            outcome = "gone"
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one pool must not stop the others
            outcome, wait = "failed", self._failed(name, error)
        else:
            outcome, wait = "done", self.resync * (1.0 + self.chance()) / 2.0
            wait = wait if again is None else min(again, wait)
        if outcome != "failed":
            self._failures.pop(name, None)
            self._not_before.pop(name, None)
        self.observer.looked(outcome, self.clock() - began)
        return wait

    def _failed(self, name: Name, error: Exception) -> float:
        self._failures[name] += 1
        place = {"namespace": name.namespace, "pool": name.name}
        if isinstance(error, ApiServerError):
            _log.warning("a pool could not be brought on", **place, failure=error.failure)
        elif isinstance(error, ClusterError):
            _log.warning("a pool could not be brought on", **place, failure=str(error))
        else:
            _log.error("a pool could not be planned", **place, kind=type(error).__name__, at=origin(error))
        retry_after = error.retry_after if isinstance(error, ApiServerError) else 0.0
        wait = backoff.delay(self._failures[name], spread=self.chance(), retry_after=retry_after, cap=CAP)
        if retry_after > 0.0:
            self._not_before[name] = self.clock() + wait
        return wait
