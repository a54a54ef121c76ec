"""Probes and metrics over HTTP, for the leader and for those who wait to be it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

LIVE, READY, METRICS = "/healthz", "/readyz", "/metrics"
_LARGEST = 1024  # bytes of a body: no page takes one


class Pages:
    """One small application.

    Args:
        stuck: Returns in a few words what has not moved for too long; empty where everything does.
        unready: Returns in a few words why the operator can do nothing now; empty where it can.
        metrics: Returns the page of metrics.
    """

    def __init__(self, *, stuck: Callable[[], str], unready: Callable[[], str], metrics: Callable[[], bytes]) -> None:
        self._stuck = stuck
        self._unready = unready
        self._metrics = metrics

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.get(LIVE, self._live), web.get(READY, self._ready), web.get(METRICS, self._numbers)])
        return app

    async def _live(self, _request: web.Request) -> web.Response:
        return _probe(self._stuck())

    async def _ready(self, _request: web.Request) -> web.Response:
        return _probe(self._unready())

    async def _numbers(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"content-type": "text/plain; version=0.0.4"})


def _probe(trouble: str) -> web.Response:
    return web.Response(status=503 if trouble else 200, text=trouble or "ok")


@asynccontextmanager
async def served(pages: Pages, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve the pages; yield the port, which the system picks where 0 is asked for."""
    runner = web.AppRunner(pages.app(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
