"""What answers of a Kubernetes API server mean, over plain HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from chimera_router.datalayer import api_server
from chimera_router.datalayer.api_server import ApiServer
from chimera_router.errors import ApiFailure, ApiServerError, ConfigError

pytestmark = pytest.mark.anyio

PATH = "/api/v1/namespaces/models/pods"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def kubeconfig(folder: Path, url: str) -> Path:
    """Return a kubeconfig for a server, with the token `secret`."""
    path = folder / "kubeconfig"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@asynccontextmanager
async def server(folder: Path, handler: Handler) -> AsyncIterator[ApiServer]:
    """Yield an API server that answers every call by the handler."""
    app = web.Application()
    app.router.add_get(PATH, handler)
    async with TestServer(app, handler_cancellation=True) as running:
        yield ApiServer(kubeconfig(folder, str(running.make_url(""))))


async def test_list_is_asked_for_with_credentials(tmp_path: Path) -> None:
    """A list carries the token and the query, and asks for JSON."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(text="the list")

    async with server(tmp_path, answer) as api:
        assert await api.list(PATH, {"labelSelector": "app=a,b=c"}) == b"the list"

    (request,) = asked
    assert dict(request.query) == {"labelSelector": "app=a,b=c"}
    assert (request.headers["authorization"], request.headers["accept"]) == ("Bearer secret", "application/json")


async def test_watch_is_read_line_by_line(tmp_path: Path) -> None:
    """Events come as they are sent, until the server ends the watch; it is told when to."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b'{"a"', b": 1}\n{", b'"b": 2}\n'):
            await response.write(part)
        return response

    async with (
        server(tmp_path, answer) as api,
        api.watch(PATH, {"resourceVersion": "7"}, seconds=60) as lines,
    ):
        assert [line async for line in lines] == [b'{"a": 1}\n', b'{"b": 2}\n']

    assert dict(asked[0].query) == {"resourceVersion": "7", "watch": "true", "timeoutSeconds": "60"}


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, ApiFailure.REJECTED),
        (401, ApiFailure.UNAUTHORIZED),
        (403, ApiFailure.FORBIDDEN),
        (404, ApiFailure.NOT_FOUND),
        (410, ApiFailure.EXPIRED),
        (429, ApiFailure.THROTTLED),
        (500, ApiFailure.SERVER_ERROR),
        (503, ApiFailure.SERVER_ERROR),
    ],
)
async def test_status_says_what_failed(tmp_path: Path, status: int, failure: ApiFailure) -> None:
    """Each status is a failure of its kind, for lists and watches, and what the server wrote is not repeated."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="canary", reason="canary")

    async with server(tmp_path, answer) as api:
        with pytest.raises(ApiServerError) as listed:
            await api.list(PATH, {})
        with pytest.raises(ApiServerError) as watched:
            async with api.watch(PATH, {}, seconds=60):
                raise AssertionError("the watch began")

    assert (listed.value.failure, watched.value.failure) == (failure, failure)
    assert "canary" not in f"{listed.value!r} {watched.value!r}"


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("", 0.0), ("soon", 0.0), ("-1", 0.0)])
async def test_server_may_say_when_to_come_back(tmp_path: Path, header: str, seconds: float) -> None:
    """Retry-After is read where it is a number of seconds."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": header})

    async with server(tmp_path, answer) as api:
        with pytest.raises(ApiServerError) as refused:
            await api.list(PATH, {})

    assert refused.value.retry_after == seconds


async def test_broken_connection_is_unreachable(tmp_path: Path) -> None:
    """Nobody there, or somebody who hangs up in the middle, is no answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"a": 1}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with server(tmp_path, answer) as api:
        with pytest.raises(ApiServerError) as broken:
            async with api.watch(PATH, {}, seconds=60) as lines:
                _ = [line async for line in lines]
    with pytest.raises(ApiServerError) as absent:
        await ApiServer(kubeconfig(tmp_path, "http://127.0.0.1:1")).list(PATH, {})

    assert broken.value.failure is absent.value.failure is ApiFailure.UNREACHABLE


async def test_silent_watch_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing beyond the time at which it was to end the watch is gone."""
    monkeypatch.setattr(api_server, "_LATE", 0.05)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async with server(tmp_path, answer) as api:
        with pytest.raises(ApiServerError) as silent:
            async with api.watch(PATH, {}, seconds=0) as lines:
                _ = [line async for line in lines]

    assert silent.value.failure is ApiFailure.TIMEOUT


async def test_endless_line_is_malformed(tmp_path: Path) -> None:
    """A line that is longer than any object can be is not collected."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(16):
            await response.write(b"x" * 1024 * 1024)
        return response

    async with server(tmp_path, answer) as api:
        with pytest.raises(ApiServerError) as endless:
            async with api.watch(PATH, {}, seconds=60) as lines:
                _ = [line async for line in lines]

    assert endless.value.failure is ApiFailure.MALFORMED


@pytest.mark.parametrize(
    "text",
    [pytest.param(None, id="no file"), pytest.param("{", id="no YAML"), pytest.param("users: []", id="no context")],
)
async def test_missing_credentials_are_named(tmp_path: Path, text: str | None) -> None:
    """Without credentials nothing is asked: the error names where they were looked for, not what is there."""
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError, match=f"{path}: no credentials"):
        await ApiServer(path).check_credentials()
    with pytest.raises(ApiServerError) as refused:
        await ApiServer(path).list(PATH, {})
    assert refused.value.failure is ApiFailure.UNAUTHORIZED


async def test_pod_without_service_account_is_told(tmp_path: Path) -> None:
    """Outside of a pod, and without a kubeconfig, there are no credentials."""
    with pytest.raises(ConfigError, match=f"{tmp_path}: no credentials"):
        await ApiServer(None, service_account=tmp_path).check_credentials()
