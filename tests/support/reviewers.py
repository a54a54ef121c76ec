"""A fake API server: reviews in Kubernetes' own JSON, and what a real one cannot be made to do."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PICKER = "token-of-the-picker"


class FakeCluster:
    """Answers as an API server does, and remembers what it was asked.

    Attributes:
        kubeconfig: Of the picker's account.
        failing: A status that every call is answered with; None to answer rightly.
        garbled: Whether answers lack what they are for.
        answers: Held back while it is not set.
        asked: The paths of all calls.
        under_way: Calls that are not answered yet.
        most: The most of them there were.
    """

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.failing: int | None = None
        self.garbled = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self._accounts: dict[str, set[tuple[str, str]]] = {}

    async def account(self, name: str, rights: Iterable[tuple[str, str]]) -> str:
        """Make an account that may do so many (verb, path), and return its token."""
        token = f"token-of-{name}-0123456789"
        self._accounts[token] = set(rights)
        return token

    def revoke(self, token: str) -> None:
        del self._accounts[token]

    async def review(self, request: web.Request) -> web.Response:
        """Say what the bearer of the request's own token may do; the picker's has no part in it."""
        rights = self._accounts.get(request.headers["authorization"].removeprefix("Bearer "))
        if rights is None:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Unauthorized", "code": 401}
            return web.json_response(status, status=401)
        spec = (await request.json())["spec"]
        wanted = spec["nonResourceAttributes"]
        allowed = (wanted["verb"], wanted["path"]) in rights
        status = {"allowed": allowed, **({} if allowed else {"reason": ""})}
        kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        document = {**kind, "metadata": {}, "spec": spec, "status": status}
        return web.json_response(kind if self.garbled else document, status=201)

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.answers.wait()
        self.under_way -= 1
        if self.failing is not None:
            message = f"canary: {await request.text()}"
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
            return web.json_response({**status, "code": self.failing}, status=self.failing)
        assert request.headers["authorization"] != f"Bearer {PICKER}"
        answer: web.StreamResponse = await handler(request)
        return answer


@asynccontextmanager
async def fake_cluster(folder: Path) -> AsyncIterator[FakeCluster]:
    """Serve a fake API server."""
    cluster = FakeCluster(folder)
    app = web.Application(middlewares=[cluster.guard])
    app.add_routes([web.post(REVIEWS, cluster.review)])
    async with TestServer(app, host="127.0.0.1") as server:
        named = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [named],
            "users": [{"name": "it", "user": {"token": PICKER}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        cluster.kubeconfig.write_text(json.dumps(config))
        yield cluster
