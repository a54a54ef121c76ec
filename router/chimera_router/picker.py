"""Put the parts of one picker together, and keep them current while it runs."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import ClientSession

from chimera_router import cache_salt, keeping
from chimera_router.arguments import Arguments
from chimera_router.arrivals import ActivePool
from chimera_router.datalayer.api_server import ApiServer
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
from chimera_router.sharing import opening as sharing
from chimera_router.sharing.port import SharedWorkflows
from chimera_router.sharing.settings import read as read_sharing
from chimera_router.sources import Reading, Sources
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

    sources: Sources
    readings: AsyncGenerator[Reading]
    metrics: Metrics
    datastore: Datastore
    director: Director
    scraper: Scraper
    keeping: keeping.Keeping
    compute: Compute

    @property
    def synced(self) -> bool:
        """Whether the endpoints have been found once, wherever they come from; true from then on."""
        return self.sources.synced

    async def start(self) -> None:
        """Hear from every engine once."""
        await self.scraper.scrape()

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what has to go on while requests are served, to be run side by side."""
        following = self._follow_config(), self.sources.run()
        return self.scraper.run(), *following, self.keeping.run(), pulse(self.director)

    async def _follow_config(self) -> None:
        """Swap the configuration whenever it changes; an invalid one changes nothing."""
        async for read in self.readings:
            try:
                pool = await asyncio.to_thread(read)
                take = await self.sources.prepare(pool)
            except ConfigError as error:
                self.sources.reloaded("config", error)
                continue
            await self._swap(pool)
            take()
            self.sources.reloaded("config")

    async def _swap(self, pool: PoolSettings) -> None:
        old = self.director.pool
        same = (old.settings.models, old.settings.bundle) == (pool.models, pool.bundle)
        predictor = old.predictor if same else await self._opened(pool)
        self.director.pool = ActivePool(settings=pool, predictor=predictor)
        if not same:
            await old.predictor.aclose()

    async def _opened(self, pool: PoolSettings) -> Predictor:
        return await asyncio.to_thread(_open_predictor, pool, self.metrics, self.keeping.corrections, self.compute)


@asynccontextmanager
async def opened(arguments: Arguments) -> AsyncIterator[Picker]:
    """Yield the picker that the arguments describe; save what it learned and close it at the end.

    Raises:
        ConfigError: The configuration or the list of endpoints breaks a rule.
    """
    metrics, kept = Metrics(), keeping.opened(arguments.state_path)
    compute = Compute(device=arguments.prediction_device, threads=arguments.prediction_threads)
    datastore = Datastore(ledger := Ledger())
    sources = Sources(ApiServer(arguments.kubeconfig), datastore, metrics)
    async with AsyncExitStack() as stack:
        readings = await stack.enter_async_context(aclosing(sources.readings(arguments.config)))
        session = await stack.enter_async_context(open_session())
        pool = (await anext(readings))()
        (await sources.prepare(pool))()
        shared = await stack.enter_async_context(_sharing(arguments, pool, metrics))
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
            shared=shared,
        )
        _watch(metrics, director, kept.corrections)
        yield Picker(
            sources=sources,
            readings=readings,
            metrics=metrics,
            datastore=datastore,
            director=director,
            scraper=_scraper(director, session),
            keeping=kept,
            compute=compute,
        )
    await kept.save()
    await director.pool.predictor.aclose()


def _sharing(
    arguments: Arguments, pool: PoolSettings, metrics: Metrics
) -> AbstractAsyncContextManager[SharedWorkflows | None]:
    """Return what opens the workflows that all pickers of the pool share; None where each remembers its own."""
    if arguments.shared_workflows is None:
        return nullcontext()
    settings = read_sharing(arguments.shared_workflows, os.environ, deadline=arguments.shared_workflows_deadline)
    return sharing.opened(
        settings, pool=pool.catalog.pool, clock=time.monotonic, wall=time.time, registry=metrics.registry
    )


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
