"""The management pages: readiness, metrics, status, explain, feedback. Never on the data path."""

import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from chimera_router.director import Director
from chimera_router.errors import ConfigError, RequestError
from chimera_router.feedback.report import parse as parse_report
from chimera_router.feedback.report import report
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol import mutations
from chimera_router.scheduling.types import PoolSnapshot


class Management:
    """One aiohttp application over a director."""

    def __init__(self, director: Director, *, ready: Callable[[], bool]) -> None:
        self._director = director
        self._ready = ready

    def app(self) -> web.Application:
        """Return the application."""
        limit = self._director.pool.settings.limits.max_body_bytes
        app = web.Application(client_max_size=limit, middlewares=[_in_openai_shape])
        app.add_routes(
            [
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/chimera/v1/status", self._status),
                web.post("/chimera/v1/explain", self._explain),
                web.post("/chimera/v1/feedback", self._feedback),
            ]
        )
        return app

    async def _readyz(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self._ready() else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._director.metrics.page(), headers={"content-type": "text/plain; version=0.0.4"})

    async def _explain(self, request: web.Request) -> web.Response:
        settings = self._director.pool.settings
        parsed = parse(Api.CHAT, await request.read(), settings.limits)
        decision = await self._director.explain(parsed, request.headers, settings.catalog.resolve(parsed.model))
        return web.Response(text=mutations.explanation(decision), content_type="application/json")

    async def _feedback(self, request: web.Request) -> web.Response:
        judged = report(self._director, parse_report(await request.read()))
        return web.json_response({"model": judged.model})

    async def _status(self, _request: web.Request) -> web.Response:
        director = self._director
        tally, settings, snapshot = director.tally, director.pool.settings, director.snapshot()
        return web.json_response(
            {
                "pool": settings.catalog.pool,
                "policy": settings.scheduler.policy.name,
                "predictor": director.pool.predictor.source,
                "workflows": {
                    "open": director.workflows(),
                    "stages": tally.stages,
                    "later_stages": tally.later_stages,
                    "recognised": tally.recognised,
                    "kept": tally.kept,
                },
                "models": [self._model(name, snapshot) for name in snapshot.models],
            }
        )

    def _model(self, name: str, snapshot: PoolSnapshot) -> dict[str, str | int | float]:
        states = [state for state in snapshot.endpoints if state.endpoint.model == name]
        metrics = [state.metrics for state in states if state.metrics]
        return {
            "model": name,
            "endpoints": len(states),
            "ready": sum(state.ready for state in states),
            "running": sum(each.running for each in metrics),
            "waiting": sum(each.waiting for each in metrics),
            "in_flight": sum(state.load.requests for state in states),
            "in_flight_tokens": round(sum(state.load.tokens for state in states)),
            "requests": self._director.tally.requests[name],
        }


async def serve(management: Management, *, host: str, port: int) -> web.AppRunner:
    """Start the pages and return what stops them.

    Raises:
        ConfigError: The port is taken.
    """
    runner = web.AppRunner(management.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=False).start()
    except (OSError, socket.gaierror) as error:
        await runner.cleanup()
        raise ConfigError(f"{host}:{port}: the port cannot be bound, is something else listening there?") from error
    return runner


@web.middleware
async def _in_openai_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as error:
        refusal = mutations.refusal(error)
        return web.Response(status=refusal.status, body=refusal.body, headers=dict(refusal.headers))
