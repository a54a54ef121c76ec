"""Where the settings and the endpoints of a running picker come from, and what is said when they change."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from chimera_router import settings
from chimera_router.arguments import ConfigMapName
from chimera_router.datalayer import config_map, discovery
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.discovery import FileEndpoints
from chimera_router.datalayer.kubernetes import KubernetesEndpoints
from chimera_router.datalayer.membership import Standing
from chimera_router.datalayer.watcher import Api, Watcher
from chimera_router.discovery_settings import Discovery, FileDiscovery
from chimera_router.errors import ConfigError
from chimera_router.settings import PoolSettings
from chimera_router.telemetry.discovery import DiscoveryCollector, DiscoveryMetrics
from chimera_router.telemetry.metrics import Metrics

CONFIG_KEY = "router.json"  # of the ConfigMap

Reading = Callable[[], PoolSettings]
"""Returns the settings as they were read; raises ConfigError where they break a rule."""

_log = structlog.get_logger()


class EndpointSource(Protocol):
    """Finds endpoints and publishes them; see `datalayer.discovery` and `datalayer.kubernetes`."""

    @property
    def synced(self) -> bool:
        """Whether they have been found once."""

    @property
    def age(self) -> float:
        """Seconds since they were known to be so."""

    @property
    def counts(self) -> Mapping[Standing, int]:
        """What was found, by what became of it."""

    async def prepare(self, models: Collection[str]) -> Callable[[], None]:
        """Return what publishes the endpoints of these models; raise ConfigError where they cannot be had."""

    async def run(self) -> None:
        """Follow them until cancelled."""


class Sources:
    """Settings from a file or a ConfigMap; endpoints from wherever the settings say, another place when they change."""

    def __init__(self, server: Api, datastore: Datastore, metrics: Metrics) -> None:
        self._watcher = Watcher(api=server, observer=DiscoveryMetrics(metrics.registry))
        self._datastore = datastore
        self._reloads = metrics.reloads
        self._discovery: Discovery | None = None
        self._source: EndpointSource
        self._replaced = asyncio.Event()
        metrics.watch(DiscoveryCollector(lambda: (self._source.age, self._source.counts.items())))

    @property
    def synced(self) -> bool:
        """Whether the endpoints have been found once."""
        return self._source.synced

    async def readings(self, config: Path | ConfigMapName) -> AsyncGenerator[Reading]:
        """Yield the settings, and again whenever they may have changed; the first of a ConfigMap once there is one."""
        match config:
            case Path():
                yield partial(settings.load, config)
                async for _ in discovery.changes(config):
                    yield partial(settings.load, config)
            case ConfigMapName():
                async with aclosing(self._texts(config)) as texts:
                    async for text in texts:
                        yield partial(_parse, text, config)

    async def _texts(self, config: ConfigMapName) -> AsyncGenerator[str | None]:
        """Yield the text of a ConfigMap when it changes, None where it is gone; wait while it was never there."""
        await self._watcher.api.check_credentials()
        texts = config_map.texts(self._watcher, namespace=config.namespace, name=config.name, key=CONFIG_KEY)
        async with aclosing(texts):
            seen = False
            async for text in texts:
                seen = seen or text is not None
                if seen:
                    yield text
                else:
                    _log.warning("configuration not found", config_map=str(config), key=CONFIG_KEY)

    async def prepare(self, pool: PoolSettings) -> Callable[[], None]:
        """Return what takes endpoints from where these settings say, from now on; until it is called nothing changes.

        Raises:
            ConfigError: They cannot be had from there.
        """
        source = self._source if pool.discovery == self._discovery else self._opened(pool.discovery)
        publish = await source.prepare(pool.models)

        def take() -> None:
            if pool.discovery != self._discovery:
                self._discovery, self._source = pool.discovery, source
                self._replaced.set()
            publish()

        return take

    async def run(self) -> None:
        """Follow the endpoints until cancelled, wherever they come from."""
        while True:
            self._replaced.clear()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._source.run())
                await self._replaced.wait()
                following.cancel()

    def reloaded(self, what: str, error: ConfigError | None = None) -> None:
        """Say that settings or endpoints were swapped, or refused and why."""
        self._reloads.labels(what, "refused" if error else "applied").inc()
        if error is None:
            _log.info("configuration applied", file=what)
        else:
            _log.error("configuration refused, the old one stays", file=what, rule=str(error))

    def _opened(self, found: Discovery) -> EndpointSource:
        if isinstance(found, FileDiscovery):
            return FileEndpoints(found.path, self._datastore, reloaded=partial(self.reloaded, "endpoints"))
        return KubernetesEndpoints(
            self._watcher,
            self._datastore,
            namespace=found.namespace,
            inference_pool=found.inference_pool,
            max_age=found.max_age,
        )


def _parse(text: str | None, config: ConfigMapName) -> PoolSettings:
    """Return the settings in a ConfigMap; relative paths in them start where the process runs."""
    if text is None:
        raise ConfigError(f"ConfigMap {config}: has no key {CONFIG_KEY}, or is gone")
    try:
        return settings.parse(text, base=Path())
    except ConfigError as error:
        raise ConfigError(f"ConfigMap {config}: {error}") from error
