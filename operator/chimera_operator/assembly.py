"""The parts of an operator, put together; who leads and who tells of pools is not among them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
import structlog

from chimera_operator.cluster import backoff
from chimera_operator.cluster.applying import Applier
from chimera_operator.cluster.capacity import Capacity
from chimera_operator.cluster.demand import Demands
from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.events import Recorder
from chimera_operator.cluster.execution import Execution
from chimera_operator.cluster.mirror import Mirror
from chimera_operator.cluster.mirrors import Mirrors
from chimera_operator.cluster.observe import Observer
from chimera_operator.cluster.port import Api
from chimera_operator.cluster.reporting import Reporting
from chimera_operator.cluster.server_version import server_version
from chimera_operator.cluster.store import Name, Store
from chimera_operator.cluster.tokens import StatusToken
from chimera_operator.cluster.view import View
from chimera_operator.cluster.watcher import Subject, Watcher
from chimera_operator.controller import Controller
from chimera_operator.reconciler import Planner, Reconciler
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import POOL
from chimera_operator.settings import Settings
from chimera_operator.telemetry.census import Census
from chimera_operator.telemetry.metrics import Metrics

_log = structlog.get_logger()
_Answer = TypeVar("_Answer")


class Assembly:
    """One operator's parts.

    Args:
        settings: What the process was told.
        api: The API server.
        session: Of an HTTP client, for asking pickers.
        metrics: Counts.
        planner: Decides what is to be done about a pool.

    Attributes:
        pools: The pools.
        mirrors: Everything else that is mirrored.
        reconciler: Brings a pool to what it should be.
        controller: Has it do so when there is reason to.
        recorder: Posts Events.
        census: Counts pools and models.
    """

    def __init__(
        self, settings: Settings, api: Api, *, session: aiohttp.ClientSession, metrics: Metrics, planner: Planner
    ) -> None:
        self.pools = Store(lambda name, _pool: self._wake(name))
        self.recorder = Recorder(api=api, instance=settings.identity, clock=time.monotonic, now=_now)
        self.census = Census()
        self._settings = settings
        self._version = 0, 0
        self._watcher = Watcher(api=api, observer=metrics)
        self.mirrors = Mirrors(self._watcher, self._wake_all)
        self._view = View(self.mirrors, settings.namespaces, wake=self._wake, wake_all=self._wake_all)
        token = StatusToken(api, settings.operator_namespace, settings.status_account, clock=time.monotonic)
        applier = Applier(api, metrics, time.monotonic)
        self.reconciler = Reconciler(
            pools=self.pools,
            observer=Observer(
                view=self._view,
                capacity=Capacity(self.mirrors, time.monotonic),
                demands=Demands(session, token),
                facts=self._facts,
            ),
            planner=planner,
            execution=Execution(api=api, applier=applier, view=self._view, pools=self.pools),
            reporting=Reporting(api=api, pools=self.pools, view=self._view, now=_now),
            recorder=self.recorder,
            counts=self.census,
            now=_now,
        )
        self.controller = Controller(reconcile=self.reconciler.reconcile, observer=metrics, resync=settings.resync)

    async def known(self) -> None:
        """Return once everything that is there is known; mirrors must be running."""
        self._version = await self._patiently(lambda: server_version(self._watcher.api))
        await self._view.known()
        await self.list_pools()

    async def sweep(self) -> None:
        """Find the pools that nobody has told of, and those that nobody has told are gone, for ever."""
        while True:
            await asyncio.sleep(self._settings.resync)
            await self.list_pools()

    async def list_pools(self) -> None:
        """Ask for all pools, however long that takes."""
        await self._patiently(self._list_pools)

    async def _list_pools(self) -> None:
        for namespace in self._settings.namespaces or ("",):
            await Mirror(self._watcher, Subject(kind=POOL, namespace=namespace), self.pools).list()

    async def _patiently(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return an answer of the API server, however long that takes."""
        failures = 0
        while True:
            try:
                return await ask()
            except ApiServerError as error:
                failures += 1
                _log.warning("the API server does not tell", failure=error.failure)
                spread, retry_after = self._watcher.chance(), error.retry_after
                await asyncio.sleep(backoff.delay(failures, spread=spread, retry_after=retry_after))

    def _facts(self) -> Facts:
        told = self._settings
        return Facts(
            apis=self._view.apis(),
            version=self._version,
            controllers={},
            picker_image=told.picker_image,
            simulator_image=told.simulator_image,
            operator_namespace=told.operator_namespace,
            operator_labels=told.operator_labels,
        )

    def _wake(self, name: Name) -> None:
        self.controller.wake(name)

    def _wake_all(self) -> None:
        for name in self.pools.names():
            self._wake(name)


def _now() -> datetime:
    return datetime.now(UTC)
