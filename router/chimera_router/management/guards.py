"""What every call passes on its way to a page: the shape of errors, the time it may take, who may have it."""

import asyncio
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from chimera_router.access.gate import Gate
from chimera_router.access.port import Wanted
from chimera_router.errors import BodyTooLarge, RequestError, RequestTimeout, UnknownPage, WrongMethod
from chimera_router.protocol import mutations


def in_openai_shape(largest_body: int) -> Middleware:
    """Return the guard that turns refusals, aiohttp's too, into OpenAI's error object.

    Args:
        largest_body: Bytes that the application reads of a body.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            refusal = mutations.refusal(_ours(error, largest_body))
        except RequestError as error:
            refusal = mutations.refusal(error)
        return web.Response(status=refusal.status, body=refusal.body, headers=dict(refusal.headers))

    return guard


def _ours(error: web.HTTPException, largest_body: int) -> RequestError:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return WrongMethod(allowed=", ".join(sorted(error.allowed_methods)))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge(limit=largest_body)
    return UnknownPage()


def in_time(seconds: float) -> Middleware:
    """Return the guard that gives up on calls that take longer, mostly on bodies that never come."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            async with asyncio.timeout(seconds):
                return await handler(request)
        except TimeoutError as error:
            raise RequestTimeout(seconds=seconds) from error

    return guard


def admitted(gate: Gate, *, probes: Collection[str]) -> Middleware:
    """Return the guard that lets in whom the gate lets in.

    Args:
        gate: Knows who may have what.
        probes: Pages that everybody may have.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        page = request.match_info.route.resource
        if page is not None and page.canonical not in probes:
            wanted = Wanted(verb=request.method.lower(), path=page.canonical)
            await gate.admit(request.headers.getall("authorization", ()), wanted)
        return await handler(request)

    return guard
