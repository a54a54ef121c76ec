"""The pages: probes, metrics, status, explain, feedback."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from chimera_router.access.gate import Gate
from chimera_router.director import Director
from chimera_router.feedback.report import PATH as FEEDBACK
from chimera_router.feedback.report import parse as parse_report
from chimera_router.feedback.report import report
from chimera_router.management import guards
from chimera_router.management.limits import Limits
from chimera_router.management.pacing import Pace
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol import mutations
from chimera_router.scheduling.types import PoolSnapshot

LIVE, READY = "/livez", "/readyz"
METRICS, STATUS, EXPLAIN = "/metrics", "/chimera/v1/status", "/chimera/v1/explain"


class Management:
    """One aiohttp application over a director.

    Args:
        director: What the pages are about.
        unready: Returns in one word why no requests can be served now; empty where they can.
        gate: Knows who may see which page; the probes are everybody's.
        limits: What callers may take.

    Attributes:
        limits: The same.
    """

    def __init__(
        self, director: Director, *, unready: Callable[[], str], gate: Gate, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self._director = director
        self._unready = unready
        self._gate = gate
        self._explaining = asyncio.Semaphore(self.limits.explained)
        self._pace = Pace(self.limits.share, clock=time.monotonic)

    def app(self) -> web.Application:
        """Return the application."""
        largest = min(self.limits.body, self._director.pool.settings.limits.max_body_bytes)
        app = web.Application(
            client_max_size=largest,
            middlewares=[
                guards.in_openai_shape(largest),
                guards.in_time(self.limits.request),
                guards.admitted(self._gate, probes=(LIVE, READY)),
            ],
        )
        app.add_routes(
            [
                web.get(LIVE, self._livez),
                web.get(READY, self._readyz),
                web.get(METRICS, self._metrics, allow_head=False),
                web.get(STATUS, self._status, allow_head=False),
                web.post(EXPLAIN, self._explain),
                web.post(FEEDBACK, self._feedback),
            ]
        )
        return app

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _readyz(self, _request: web.Request) -> web.Response:
        reason = self._unready()
        return web.Response(status=503 if reason else 200, text=reason or "ok")

    async def _metrics(self, _request: web.Request) -> web.Response:
        page = await self._pace.do(self._director.metrics.page)
        return web.Response(body=page, headers={"content-type": "text/plain; version=0.0.4"})

    async def _explain(self, request: web.Request) -> web.Response:
        settings = self._director.pool.settings
        parsed = parse(Api.CHAT, await request.read(), settings.limits)
        async with self._explaining:
            decision = await self._director.explain(parsed, request.headers, settings.catalog.resolve(parsed.model))
        held = len(self._director.holding.queue)
        return web.Response(text=mutations.explanation(decision, held=held), content_type="application/json")

    async def _feedback(self, request: web.Request) -> web.Response:
        judged = await report(self._director, parse_report(await request.read()))
        return web.json_response({"model": judged.model})

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._pace.do(self._figures))

    def _figures(self) -> dict[str, Any]:
        director = self._director
        tally, settings, snapshot = director.tally, director.pool.settings, director.snapshot()
        steer = director.steering.steer
        return {
            "pool": settings.catalog.pool,
            "policy": settings.scheduler.policy.name,
            "price": None if steer is None else steer.price,
            "predictor": director.pool.predictor.source,
            "uptime_seconds": director.clock() - director.began,
            "held": self._held(),
            "workflows": {
                "open": director.workflows(),
                "stages": tally.stages,
                "later_stages": tally.later_stages,
                "recognised": tally.recognised,
                "kept": tally.kept,
            },
            "models": [self._model(name, snapshot) for name in snapshot.models],
        }

    def _held(self) -> dict[str, int]:
        """Return the requests that wait in the picker, by priority class, the highest first."""
        totals = self._director.holding.queue.totals()
        return {str(priority): totals[priority].requests for priority in sorted(totals, reverse=True)}

    def _model(self, name: str, snapshot: PoolSnapshot) -> dict[str, str | int | float]:
        states = [state for state in snapshot.endpoints if state.endpoint.model == name]
        metrics = [state.metrics for state in states if state.metrics]
        coefficients = snapshot.models[name].coefficients
        director = self._director
        held = director.holding.queue.meant_for(name)
        return {
            "model": name,
            "endpoints": len(states),
            "ready": sum(state.ready for state in states),
            "running": sum(each.running for each in metrics),
            "waiting": sum(each.waiting for each in metrics),
            "in_flight": sum(state.load.requests for state in states),
            "in_flight_tokens": round(sum(state.load.tokens for state in states)),
            "held": held.requests,
            "held_tokens": round(held.tokens),
            "idle_seconds": director.clock() - director.tally.asked.get(name, director.began),
            "requests": director.tally.requests[name],
            "base_step_ms": coefficients.base_step * 1e3,
            "step_per_sequence_us": coefficients.per_sequence * 1e6,
            "prefill_us_per_token": coefficients.prefill_per_token * 1e6,
        }
