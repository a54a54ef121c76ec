"""An API server over HTTP: `kubernetes.aio` brings credentials and connections, errors get one shape."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp.http_exceptions import HttpProcessingError
from kubernetes.aio import client

from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.port import Call, CallObserver, Verb

CONNECT = 5.0  # seconds
CALL = 30.0  # seconds: half of what the API server itself allows, and more than anything here takes
SILENCE = 120.0  # seconds without a word of a watch; where bookmarks come, they come every minute

_METHODS = {
    Verb.GET: "GET",
    Verb.LIST: "GET",
    Verb.CREATE: "POST",
    Verb.UPDATE: "PUT",
    Verb.PATCH: "PATCH",
    Verb.APPLY: "PATCH",
    Verb.DELETE: "DELETE",
}
_CONTENT = {Verb.PATCH: "application/merge-patch+json", Verb.APPLY: "application/apply-patch+yaml"}
_FAILURES = {
    400: ApiFailure.INVALID,
    401: ApiFailure.UNAUTHORIZED,
    403: ApiFailure.FORBIDDEN,
    404: ApiFailure.NOT_FOUND,
    409: ApiFailure.CONFLICT,
    410: ApiFailure.EXPIRED,
    422: ApiFailure.INVALID,
    429: ApiFailure.THROTTLED,
}


class ApiServer:
    """One API server.

    Args:
        api: A client of the library's, whoever closes it.
        observer: Counts the calls.
    """

    def __init__(self, api: client.ApiClient, observer: CallObserver) -> None:
        self._api = api
        self._observer = observer

    async def call(self, call: Call) -> bytes:
        """Return the answer.

        Raises:
            ApiServerError: There is none, or it is no success.
        """
        limits = aiohttp.ClientTimeout(total=CALL, sock_connect=CONNECT)
        async with self._answer(call.verb.value, call, limits) as response:
            return await response.read()

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the events of a watch, a line each, until the server ends it after so many seconds.

        Raises:
            ApiServerError: The server refuses, falls silent, or the connection breaks.
        """
        whole = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE)
        async with self._answer("watch", Call(verb=Verb.LIST, path=path, query=whole), limits) as response:
            yield aiter(response.content)

    @asynccontextmanager
    async def _answer(
        self, verb: str, call: Call, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with await self._send(call, limits) as response:
                if response.status >= 400:
                    raise _error(response, await response.read())
                self._observer.called(verb, str(response.status))
                yield response
        except ApiServerError as error:
            self._observer.called(verb, error.failure)
            raise
        except TimeoutError:  # first of these: aiohttp's are its own errors too
            raise self._broken(verb, ApiFailure.TIMEOUT) from None
        except (aiohttp.ClientError, OSError):
            raise self._broken(verb, ApiFailure.UNREACHABLE) from None
        except (ValueError, HttpProcessingError):  # the latter where a line is longer than any object can be
            raise self._broken(verb, ApiFailure.MALFORMED) from None

    def _broken(self, verb: str, failure: ApiFailure) -> ApiServerError:
        self._observer.called(verb, failure)
        return ApiServerError(failure)

    async def _send(self, call: Call, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": _CONTENT.get(call.verb, "application/json")}
        method, path = _METHODS[call.verb], f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        # The library adds the credentials; bodies are plain data already and need none of its work.
        _, url, headers, *_ = await self._api.param_serialize(
            method, path, header_params=headers, auth_settings=["BearerToken"]
        )
        answer = await self._api.call_api(method, url, headers, body=call.body, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        return response


class _Cause(msgspec.Struct):
    field: str = ""
    message: str = ""


class _Details(msgspec.Struct, rename="camel"):
    causes: tuple[_Cause, ...] = ()
    retry_after_seconds: float = 0.0


class _Status(msgspec.Struct):
    message: str = ""
    details: _Details = msgspec.field(default_factory=_Details)


_STATUS = msgspec.json.Decoder(_Status)


def _error(response: aiohttp.ClientResponse, body: bytes) -> ApiServerError:
    try:
        status = _STATUS.decode(body)
    except msgspec.MsgspecError:  # of whatever stands in front of the server
        status = _Status()
    unknown = ApiFailure.SERVER_ERROR if response.status >= 500 else ApiFailure.REJECTED
    return ApiServerError(
        _FAILURES.get(response.status, unknown),
        retry_after=_seconds(response.headers.get("Retry-After", "")) or status.details.retry_after_seconds,
        said=status.message,
        causes=tuple((cause.field, cause.message) for cause in status.details.causes),
    )


def _seconds(text: str) -> float:
    """Return a Retry-After in seconds; Kubernetes sends no dates there."""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def decoded(answer: bytes) -> dict[str, Any]:
    """Return the object of an answer.

    Raises:
        ApiServerError: It is none.
    """
    try:
        return msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise ApiServerError(ApiFailure.MALFORMED) from None
