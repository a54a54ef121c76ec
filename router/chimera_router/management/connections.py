"""Connections to the management interface: few, and none for longer than it is of use.

They are aiohttp's own, with two differences. There is a cap, and where it is reached the one that has been open for
longest makes room: who holds connections open cannot keep out the probes, which would have the pod restarted. And what
is no HTTP, or fails inside, is neither answered nor logged in the words of an exception, which repeat the input.
"""

import asyncio
from typing import cast

import structlog
from aiohttp import web

from chimera_router.errors import InvalidRequest
from chimera_router.management.limits import Limits
from chimera_router.protocol import mutations
from chimera_router.protocol.events import SendImmediate

_log = structlog.get_logger()


class Connections:
    """Makes the protocol of each new connection, as an event loop's server asks for.

    Args:
        server: What answers.
        limits: How many there may be, and what each may take.
    """

    def __init__(self, server: web.Server, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._open: dict[web.RequestHandler, asyncio.Transport] = {}

    def __call__(self) -> web.RequestHandler:
        """Return a protocol that is not connected yet."""
        return _Connection(self._server, self._limits, self)

    def made(self, connection: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count a connection; where there are too many the oldest goes."""
        if len(self._open) >= self._limits.connections:
            self._open.pop(next(iter(self._open))).abort()
        self._open[connection] = transport

    def lost(self, connection: web.RequestHandler) -> None:
        """Forget a connection."""
        self._open.pop(connection, None)


class _Connection(web.RequestHandler):
    def __init__(self, server: web.Server, limits: Limits, connections: Connections) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # its types forget that None is for no log
            keepalive_timeout=limits.idle,
            lingering_time=limits.linger,
            max_line_size=limits.line,
            max_field_size=limits.line,
            max_headers=limits.headers,
            auto_decompress=False,  # a small body must not become a large one
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.made(self, cast("asyncio.Transport", transport))
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.lost(self)
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):  # what is refused before any guard: an Expect, which it repeats
            resp = _last(mutations.refusal(InvalidRequest("Nothing but 100-continue may be expected")))
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words
    ) -> web.StreamResponse:
        if status < 500:
            return _last(mutations.refusal(InvalidRequest("This is no HTTP/1.1 request, or its head is too large")))
        if isinstance(exc, ConnectionError):
            raise exc  # the client left; aiohttp ends the connection
        _log.error("a management page failed", kind=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        return _last(mutations.broken())


def _last(answer: SendImmediate) -> web.Response:
    """Return the answer after which the connection is closed."""
    response = web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
    response.force_close()
    return response
