"""An operator inside a test: all its parts but the election and kopf, in whose place a mirror tells of pools."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from pool_documents import pool_document
from toy_plans import toy_plan

from chimera_operator.assembly import Assembly
from chimera_operator.cluster import credentials
from chimera_operator.cluster.client import ApiServer
from chimera_operator.cluster.mirror import Mirror
from chimera_operator.cluster.port import Api, Call
from chimera_operator.cluster.watcher import Subject, Watcher
from chimera_operator.reconciler import Planner
from chimera_operator.rendering.kinds import POOL
from chimera_operator.settings import Settings, parse
from chimera_operator.telemetry.metrics import Metrics

IMAGES = ("--picker-image=picker", "--simulator-image=simulator")


def settings(*argv: str) -> Settings:
    """Return the settings of these arguments and those that every operator needs."""
    return parse([*IMAGES, "--operator-namespace=default", *argv])


class Counted:
    """An API server whose calls are counted.

    Attributes:
        calls: By verb and path.
    """

    def __init__(self, api: Api) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self._api = api

    @property
    def writes(self) -> int:
        """How many calls changed something, or were to."""
        return sum(count for (verb, _), count in self.calls.items() if verb not in {"get", "list", "watch"})

    async def call(self, call: Call) -> bytes:
        self.calls[call.verb, call.path] += 1
        return await self._api.call(call)

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        self.calls["watch", path] += 1
        return self._api.watch(path, query, seconds=seconds)


@asynccontextmanager
async def api_server(kubeconfig: Path, metrics: Metrics | None = None) -> AsyncIterator[ApiServer]:
    """Yield the API server, asked as the user of a kubeconfig."""
    async with credentials.connected(kubeconfig) as library:
        yield ApiServer(library, metrics or Metrics())


class Operator:
    """A running operator.

    Attributes:
        api: Counts its calls.
        parts: Of it.
        metrics: Of it.
    """

    def __init__(self, api: Counted, parts: Assembly, metrics: Metrics) -> None:
        self.api = api
        self.parts = parts
        self.metrics = metrics

    async def still(self, *, seconds: float = 0.5) -> None:
        """Wait until it has asked for nothing for so long."""
        before: Counter[tuple[str, str]] | None = None
        while before != self.api.calls:
            before = self.api.calls.copy()
            await asyncio.sleep(seconds)


@asynccontextmanager
async def operator(
    kubeconfig: Path,
    *argv: str,
    planner: Planner = toy_plan,
    wrap: Callable[[Api], Api] = lambda api: api,
) -> AsyncIterator[Operator]:
    """Run an operator; its calls go through what is wrapped around the server."""
    metrics = Metrics()
    async with api_server(kubeconfig, metrics) as server, aiohttp.ClientSession() as session:
        api = Counted(wrap(server))
        told = settings(*argv)
        parts = Assembly(told, api, session=session, metrics=metrics, planner=planner)
        task = asyncio.ensure_future(_work(told, api, parts, metrics))
        try:
            yield Operator(api, parts, metrics)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _work(told: Settings, api: Api, parts: Assembly, metrics: Metrics) -> None:
    watcher = Watcher(api=api, observer=metrics)
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.mirrors.run())
        await parts.known()
        for work in (parts.recorder.run(), parts.controller.run(), parts.sweep()):
            group.create_task(work)
        for namespace in told.namespaces or ("",):
            group.create_task(Mirror(watcher, Subject(kind=POOL, namespace=namespace), parts.pools).run())


def simulated(name: str = "pool", **models: int) -> dict[str, Any]:
    """Return a pool of simulated models and their replicas; `small` with one where none are given."""
    made = [
        {"name": model, "engine": {"type": "Simulator"}, "scaling": {"replicas": replicas}}
        for model, replicas in (models or {"small": 1}).items()
    ]
    document = pool_document(*made)
    return {**document, "metadata": {"name": name}}
