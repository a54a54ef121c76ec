"""Put the parts of one picker together, and keep them current while it runs."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import ClientSession

from chimera_router import cache_salt, keeping, settings
from chimera_router.arguments import Arguments
from chimera_router.arrivals import ActivePool
from chimera_router.datalayer import discovery
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.engine_client import open_session
from chimera_router.datalayer.scraper import Scraper
from chimera_router.director import Director
from chimera_router.engines.profiles import EngineProfile
from chimera_router.errors import BundleError, ConfigError
from chimera_router.prediction.compute import Compute
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Predictor
from chimera_router.prediction.predictor import open_predictor
from chimera_router.pulse import pulse
from chimera_router.scheduling.ledger import Ledger
from chimera_router.settings import PoolSettings
from chimera_router.telemetry.metrics import (
    ApplicationCollector,
    CorrectionCollector,
    FitCollector,
    Metrics,
    PoolCollector,
    PriceCollector,
)
from chimera_router.telemetry.scrapes import ScrapeMetrics
from chimera_router.workflow.table import ProgramTable

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Picker:
    """The running parts of one picker process."""

    config: Path
    metrics: Metrics
    datastore: Datastore
    director: Director
    scraper: Scraper
    keeping: keeping.Keeping
    compute: Compute

    async def start(self) -> None:
        """Hear from every engine once."""
        await self.scraper.scrape()

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what has to go on while requests are served, to be run side by side."""
        following = self._follow_config(), self._follow_endpoints()
        return self.scraper.run(), *following, self.keeping.run(), pulse(self.director)

    async def _follow_config(self) -> None:
        """Swap the configuration whenever its file changes; an invalid one changes nothing."""
        async for _ in discovery.changes(self.config):
            try:
                pool = settings.load(self.config)
                endpoints = discovery.read(pool.endpoints_file, models=pool.models)
            except ConfigError as error:
                self._kept("config", error)
                continue
            await self._swap(pool)
            self.datastore.replace(endpoints)
            self._swapped("config")

    async def _follow_endpoints(self) -> None:
        """Take the new list of endpoints whenever their file changes; an invalid one changes nothing."""
        async for _ in discovery.changes(self.director.pool.settings.endpoints_file):
            pool = self.director.pool.settings
            try:
                self.datastore.replace(discovery.read(pool.endpoints_file, models=pool.models))
            except ConfigError as error:
                self._kept("endpoints", error)
                continue
            self._swapped("endpoints")

    async def _swap(self, pool: PoolSettings) -> None:
        old = self.director.pool
        same = (old.settings.models, old.settings.bundle) == (pool.models, pool.bundle)
        predictor = old.predictor if same else await self._opened(pool)
        self.director.pool = ActivePool(settings=pool, predictor=predictor)
        if not same:
            await old.predictor.aclose()

    async def _opened(self, pool: PoolSettings) -> Predictor:
        return await asyncio.to_thread(_open_predictor, pool, self.metrics, self.keeping.corrections, self.compute)

    def _swapped(self, file: str) -> None:
        self.metrics.reloads.labels(file, "applied").inc()
        _log.info("configuration applied", file=file)

    def _kept(self, file: str, error: ConfigError) -> None:
        self.metrics.reloads.labels(file, "refused").inc()
        _log.error("configuration refused, the old one stays", file=file, rule=str(error))


@asynccontextmanager
async def opened(arguments: Arguments) -> AsyncIterator[Picker]:
    """Yield the picker that the arguments describe; save what it learned and close it at the end.

    Raises:
        ConfigError: The configuration or the list of endpoints breaks a rule.
    """
    pool = settings.load(arguments.config)
    compute = Compute(device=arguments.prediction_device, threads=arguments.prediction_threads)
    metrics, kept, ledger = Metrics(), keeping.opened(arguments.state_path), Ledger()
    datastore = Datastore(ledger)
    datastore.replace(discovery.read(pool.endpoints_file, models=pool.models))
    director = Director(
        pool=ActivePool(settings=pool, predictor=_open_predictor(pool, metrics, kept.corrections, compute)),
        datastore=datastore,
        table=ProgramTable(new_id=lambda: f"wf-{secrets.token_hex(8)}"),
        ledger=ledger,
        metrics=metrics,
        clock=time.monotonic,
        wall=time.time,
        conformance=arguments.conformance_headers,
        cache_salt=cache_salt.reader(arguments.cache_salt_key) if arguments.cache_salt_key else lambda _tenant: "",
    )
    _watch(metrics, director, kept.corrections)
    async with open_session() as session:
        picker = Picker(
            config=arguments.config,
            metrics=metrics,
            datastore=datastore,
            director=director,
            scraper=_scraper(director, session),
            keeping=kept,
            compute=compute,
        )
        yield picker
    await kept.save()
    await director.pool.predictor.aclose()


def _watch(metrics: Metrics, director: Director, corrections: Corrections) -> None:
    applications = corrections.applications
    metrics.watch(PoolCollector(director))
    metrics.watch(CorrectionCollector(corrections))
    metrics.watch(FitCollector(director.fits))
    metrics.watch(PriceCollector(director.steering))
    metrics.watch(ApplicationCollector(lambda: (len(applications), applications.forgotten)))


def _scraper(director: Director, session: ClientSession) -> Scraper:
    def profile_of(model: str) -> EngineProfile:
        return director.pool.settings.engine(model)

    asked = ScrapeMetrics(director.metrics.registry).asked
    return Scraper(director.datastore, session, clock=director.clock, profile_of=profile_of, on_scrape=asked)


def _open_predictor(pool: PoolSettings, metrics: Metrics, corrections: Corrections, compute: Compute) -> Predictor:
    def refused(error: BundleError) -> None:
        metrics.bundles_refused.inc()
        _log.error("bundle refused, running medians predict instead", rule=str(error))

    return open_predictor(
        tuple(pool.models.values()),
        path=pool.bundle.path,
        sha256=pool.bundle.sha256,
        corrections=corrections,
        compute=compute,
        on_fallback=lambda reason: metrics.fallbacks.labels(reason).inc(),
        on_refused=refused,
    )
