"""The simulated engine over HTTP, as far as vLLM's API is used: generation, models, health and metrics.

It streams by chunks of several tokens where steps are faster than `realtime.SHORTEST_CHUNK`: the HTTP work of a second
is bounded, the simulated time is not touched by it.
"""

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from chimera_bench.engine import answers, openai
from chimera_bench.engine.answers import Answer
from chimera_bench.engine.metrics import EngineMetrics
from chimera_bench.engine.model import Engine
from chimera_bench.engine.openai import Api, ApiError, Call
from chimera_bench.engine.prompts import Message
from chimera_bench.engine.realtime import Generation, RealTime
from chimera_bench.engine.recording import Recording
from chimera_bench.engine.responses import KeptResponses, Response
from chimera_bench.engine.types import DoesNotFit, Request, SchedulingPolicy
from chimera_bench.filler import filler
from chimera_router.scheduling.types import Coefficients

# Bytes of a request body; the picker in front caps it at the same 16 MiB.
MAX_BODY = 16 * 1024 * 1024

_PREFIXES = {Api.CHAT: "chatcmpl-", Api.COMPLETIONS: "cmpl-", Api.RESPONSES: "resp_"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What one engine serves.

    Attributes:
        served_names: Names of the model, at least one; answers carry the one that was asked for.
        prefix_caching: Whether a conversation's tokens stay for its next request.
        startup_delay: Seconds from the start until it is healthy: loading weights.
    """

    served_names: tuple[str, ...]
    coefficients: Coefficients
    scheduling: SchedulingPolicy = SchedulingPolicy.FCFS
    prefix_caching: bool = True
    startup_delay: float = 0.0


class EngineServer:
    """The handlers of one engine. Made inside the event loop that serves them."""

    def __init__(self, settings: ServerSettings, recording: Recording) -> None:
        self._settings = settings
        self._recording = recording
        self._metrics = EngineMetrics(settings.served_names[0], settings.coefficients)
        engine = Engine(settings.coefficients, scheduling=settings.scheduling, prefix_caching=settings.prefix_caching)
        self._realtime = RealTime(engine, self._metrics.observe)
        self._ready_at = self._realtime.now() + settings.startup_delay
        self._created = int(time.time())
        self._kept = KeptResponses()

    def application(self) -> web.Application:
        """Return the application that routes to these handlers."""
        application = web.Application(middlewares=[self._refuse], client_max_size=MAX_BODY)
        application.router.add_post(Api.CHAT, self._generate)
        application.router.add_post(Api.COMPLETIONS, self._generate)
        application.router.add_post(Api.RESPONSES, self._generate)
        application.router.add_get("/v1/models", self._list_models)
        application.router.add_get("/health", self._report_health)
        application.router.add_get("/metrics", self._expose)
        return application

    @web.middleware
    async def _refuse(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer refusals in OpenAI's shape, and everything with 503 until the start-up is over."""
        try:
            if self._realtime.now() < self._ready_at:
                raise openai.not_ready()
            return await handler(request)
        except ApiError as refusal:
            return _json(answers.error(refusal), status=refusal.status)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as refusal:
            # Who calls what is not there is answered by vLLM's web framework, in its own shape.
            return web.json_response({"detail": refusal.reason}, status=refusal.status)
        except web.HTTPException as refusal:
            status = HTTPStatus(refusal.status)
            return _json(answers.error(ApiError(status, status.phrase)), status=status)

    async def _report_health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _list_models(self, _request: web.Request) -> web.Response:
        limit = self._settings.coefficients.kv_tokens
        return _json(answers.models(self._settings.served_names, created=self._created, max_tokens=limit))

    async def _expose(self, _request: web.Request) -> web.Response:
        exposition = self._metrics.exposition(self._realtime.engine, self._realtime.now())
        return web.Response(body=exposition, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        call = self._named(openai.read_call(Api(request.path), await request.read(), self._kept.history))
        if call.model not in self._settings.served_names:
            raise openai.unknown_model()
        answer = self._planned(call)
        self._keep(call, answer)
        try:
            with self._realtime.generate(_simulated(call, answer)) as generation:
                return await self._send(request, call, answer, generation)
        except DoesNotFit as refusal:
            raise openai.bad_request(f"The {refusal}", param="input_tokens") from None

    def _named(self, call: Call) -> Call:
        return call if call.model else replace(call, model=self._settings.served_names[0])

    def _planned(self, call: Call) -> Answer | Response:
        """Return the answer that the recording gives to this call."""
        recorded = self._recording.output_tokens(call.prompt)
        output_tokens = min(recorded, call.max_tokens or recorded)
        shared: dict[str, Any] = {
            "id": f"{_PREFIXES[call.api]}{uuid.uuid4().hex}",
            "model": call.model,
            "created": int(time.time()),
            "prompt_tokens": call.prompt.tokens,
            "output_tokens": output_tokens,
            "finish_reason": "length" if output_tokens < recorded else "stop",
        }
        if call.api is Api.RESPONSES:
            return Response(text=filler(call.prompt.seed, 0, output_tokens), previous=call.previous, **shared)
        return Answer(api=call.api, **shared)

    def _keep(self, call: Call, answer: Answer | Response) -> None:
        """Keep a response from its beginning: a client may go on from it as soon as it has the last byte."""
        if isinstance(answer, Response) and call.store:
            self._kept.keep(answer.id, [*call.messages, Message("assistant", answer.text)])

    async def _send(
        self, request: web.Request, call: Call, answer: Answer | Response, generation: Generation
    ) -> web.StreamResponse:
        reason = "abort"
        try:
            response = await (
                _stream(request, call, answer, generation) if call.stream else _whole(call, answer, generation)
            )
            reason = answer.finish_reason
        finally:
            self._metrics.observe_end(answer.id, reason)
        return response


async def _whole(call: Call, answer: Answer | Response, generation: Generation) -> web.Response:
    await generation.end()
    return _json(answer.whole(filler(call.prompt.seed, 0, answer.output_tokens)))


async def _stream(
    request: web.Request, call: Call, answer: Answer | Response, generation: Generation
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    sent = 0
    async for made in generation.progress():
        opening = b"" if sent else answer.opening()
        await response.write(opening + answer.chunk(filler(call.prompt.seed, sent, made)))
        sent = made
    await response.write(answer.closing(include_usage=call.include_usage))
    await response.write_eof()
    return response


def _simulated(call: Call, answer: Answer | Response) -> Request:
    return Request(
        id=answer.id,
        prompt_tokens=answer.prompt_tokens,
        output_tokens=answer.output_tokens,
        priority=call.priority,
        conversation=call.prompt.conversation,
    )


def _json(body: bytes, *, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
