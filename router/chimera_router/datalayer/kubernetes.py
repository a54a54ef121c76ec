"""Find endpoints in Kubernetes: an InferencePool and its pods, mirrored and published as one list."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing

import structlog

from chimera_router.datalayer import resources
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.membership import NOBODY, Membership, Standing, members
from chimera_router.datalayer.objects import InferencePool, Pod
from chimera_router.datalayer.reflector import Reflector
from chimera_router.datalayer.watcher import Watcher

AGE_CHECK = 1.0  # seconds between looks at the age of what is published

_log = structlog.get_logger()


class KubernetesEndpoints:
    """The endpoints that an InferencePool and its pods make, for as long as the API server is known to say so.

    Args:
        watcher: Asks the API server.
        datastore: Takes each new list, whole.
        namespace: Of the InferencePool and its pods.
        inference_pool: Its name.
        max_age: Seconds for which a list that the server does not confirm stays in use.

    Attributes:
        synced: Whether a pool and its pods have been seen; true from then on.
        counts: Target ports of its pods, by what they are to the pool.
    """

    def __init__(
        self, watcher: Watcher, datastore: Datastore, *, namespace: str, inference_pool: str, max_age: float
    ) -> None:
        self.synced = False
        self.counts: Mapping[Standing, int] = {}
        self._watcher = watcher
        self._datastore = datastore
        self._namespace = namespace
        self._name = inference_pool
        self._max_age = max_age
        self._models: Collection[str] = ()
        self._pool: InferencePool | None = None
        self._pods: Collection[Pod] | None = None  # None: not known
        self._published: Collection[object] | None = None
        self._pool_mirror = Reflector(watcher, resources.inference_pool(namespace, inference_pool))
        self._pod_mirror: Reflector[Pod] | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def age(self) -> float:
        """Seconds since the API server last confirmed pool and pods."""
        mirrors = [mirror for mirror in (self._pool_mirror, self._pod_mirror) if mirror is not None]
        return self._watcher.clock() - min(mirror.confirmed_at for mirror in mirrors)

    async def prepare(self, models: Collection[str]) -> Callable[[], None]:
        """Return what publishes the endpoints of these models, from now on; until it is called nothing changes.

        Raises:
            ConfigError: There are no credentials to ask the API server with.
        """
        await self._watcher.api.check_credentials()

        def take() -> None:
            self._models = models
            self._publish()

        return take

    async def run(self) -> None:
        """Follow the pool and its pods until cancelled."""
        async with asyncio.TaskGroup() as group, aclosing(self._pool_mirror.states()) as states:
            group.create_task(self._watch_age())
            async for pools in states:
                self._see(pools.get(self._name), group)
                self._publish()

    def _see(self, pool: InferencePool | None, group: asyncio.TaskGroup) -> None:
        """Take the pool as it is now, and follow other pods where it selects others."""
        if pool is None:
            _log.warning("inference pool not found", namespace=self._namespace, name=self._name)
        old, self._pool = self._pool, pool
        if (old and old.selector) == (pool and pool.selector):
            return
        if self._following is not None:
            self._following.cancel()
        self._pods, self._pod_mirror = None if pool else (), None
        self._following = group.create_task(self._follow_pods(pool.selector)) if pool else None

    async def _follow_pods(self, selector: Mapping[str, str]) -> None:
        self._pod_mirror = Reflector(self._watcher, resources.pods(self._namespace, selector))
        async with aclosing(self._pod_mirror.states()) as states:
            async for pods in states:
                self._pods = pods.values()
                self._publish()
                self.synced = True

    def _publish(self) -> None:
        """Publish what is known; where the pods of this selector are not, or not surely enough, the last list stays."""
        if self._pods is None or self.age > self._max_age:
            return
        found = members(self._pool, self._pods, self._models) if self._pool else NOBODY
        self._put(found)

    async def _watch_age(self) -> None:
        """Withdraw what is in use, whoever published it, once it is too old: other pods may have the addresses."""
        while True:
            await self._watcher.sleep(AGE_CHECK)
            if self._published != () and self.age > self._max_age:
                _log.error("endpoints withdrawn, nobody confirms them", seconds=round(self.age))
                self._put(NOBODY)

    def _put(self, found: Membership) -> None:
        self.counts = found.counts
        if found.endpoints != self._published:
            self._published = found.endpoints
            self._datastore.replace(found.endpoints)
