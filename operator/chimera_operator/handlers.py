"""Where kopf tells of pools.

Kopf watches the pools and nothing else. Of 20,000 children with an empty handler it kept 210 MB, and took 10 s of a
core at the start, where the mirrors of `cluster` take 15 MB and 2 s; and it does not tell of objects that went while a
watch was interrupted. What it may miss of pools the sweep finds. It keeps no state: no finalizer, no annotation.

It has a thread and an event loop to itself, because it takes itself for the process: it takes over the signals, in its
end it cancels whatever task began after it, and it ends where a watch reports an error of the API server's.
"""

import asyncio
import itertools
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import kopf
import structlog

from chimera_operator.cluster import backoff, credentials, resources
from chimera_operator.cluster.client import CALL, CONNECT
from chimera_operator.cluster.mirror import WATCH
from chimera_operator.cluster.store import Store
from chimera_operator.cluster.watcher import MirrorObserver
from chimera_operator.rendering.kinds import POOL
from chimera_operator.telemetry.logs import origin

_log = structlog.get_logger()


class PoolWatch:
    """Has kopf tell a store of the pools.

    Args:
        pools: Learns of every pool, on the event loop of whoever runs this.
        kubeconfig: Of the API server; None in a pod.
        namespaces: Those that pools are looked for in; none for all.
        missed: Finds out what kopf has not told of, once it has failed.
        observer: Hears of failures.
    """

    def __init__(
        self,
        pools: Store,
        kubeconfig: Path | None,
        namespaces: Sequence[str],
        *,
        missed: Callable[[], Awaitable[None]],
        observer: MirrorObserver,
    ) -> None:
        self._pools = pools
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        self._missed = missed
        self._observer = observer

    async def run(self) -> None:
        """Watch, for ever; where kopf fails it begins anew."""
        for wait in Backoffs():
            await self._watch()
            await asyncio.sleep(wait)
            await self._missed()

    async def _watch(self) -> None:
        """Run kopf until it ends, or end it."""
        stop = threading.Event()
        loop = asyncio.get_running_loop()

        def hear(event: Any) -> None:
            loop.call_soon_threadsafe(self._hear, event)

        kopf_ends = asyncio.ensure_future(asyncio.to_thread(asyncio.run, self._kopf(stop, hear)))
        try:
            await asyncio.shield(kopf_ends)
        except Exception as error:  # noqa: BLE001 - its text may repeat what it was given
            _log.error("kopf failed", kind=type(error).__name__, at=origin(error))
            self._observer.interrupted(resources.plural(POOL), type(error).__name__)
        finally:
            stop.set()
            with suppress(Exception):
                await kopf_ends

    async def _kopf(self, stop: threading.Event, hear: Callable[[Any], object]) -> None:
        """Run kopf on this event loop."""
        whose: dict[str, Any] = {"namespaces": self._namespaces} if self._namespaces else {"clusterwide": True}
        handlers = registry(self._kubeconfig, hear)
        try:
            await kopf.operator(registry=handlers, settings=settings(), standalone=True, stop_flag=stop, **whose)
        finally:
            stop.set()  # one of kopf's threads waits for it, and the event loop for that thread

    def _hear(self, event: Any) -> None:
        if event["type"] == "DELETED":
            self._pools.remove(event["object"])
        else:
            self._pools.put(event["object"])


def registry(kubeconfig: Path | None, tell: Callable[[Any], object]) -> kopf.OperatorRegistry:
    """Return the handlers.

    Args:
        kubeconfig: Of the API server; None in a pod.
        tell: Is called with each event.
    """
    handlers = kopf.OperatorRegistry()
    group, _, version = POOL.api_version.partition("/")

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await credentials.for_kopf(await credentials.load(kubeconfig))

    @kopf.on.event(group, version, resources.plural(POOL), registry=handlers)
    async def changed(event: Any, **_: Any) -> None:
        tell(event)

    return handlers


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings, each away from its default for the reason beside it."""
    made = kopf.OperatorSettings()
    made.posting.enabled = False  # the operator's own events come as series
    made.scanning.disabled = True  # definitions and namespaces that come and go would need rights to all of them
    made.watching.server_timeout = 2 * WATCH
    made.watching.connect_timeout = CONNECT
    made.networking.request_timeout = CALL  # 300 s would stall everything behind one call
    made.networking.error_backoffs = Backoffs()  # an API server that is away is waited for
    made.process.ultimate_exiting_timeout = None  # else it kills the process, and that it is not
    return made


class Backoffs:
    """Seconds between attempts, without an end; each time it is iterated it begins anew."""

    def __iter__(self) -> Iterator[float]:
        """Yield the waits after one failure, after two, and so on."""
        return (backoff.delay(failures, spread=random.random()) for failures in itertools.count(1))  # noqa: S311 - no secret
