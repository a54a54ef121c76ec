"""A fake API server: the two reviews in Kubernetes' own JSON, and what a real one cannot be made to do."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESSES = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
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
        self._accounts: dict[str, tuple[str, set[tuple[str, str]]]] = {}

    async def account(self, name: str, rights: Iterable[tuple[str, str]]) -> str:
        """Make an account that may do so many (verb, path), and return its token."""
        token = f"token-of-{name}-0123456789"
        self._accounts[token] = f"system:serviceaccount:default:{name}", set(rights)
        return token

    def revoke(self, token: str) -> None:
        del self._accounts[token]

    async def review(self, request: web.Request) -> web.Response:
        spec = (await request.json())["spec"]
        user, _ = self._accounts.get(spec["token"], ("", None))
        if not user:
            return self._answer("TokenReview", spec, {"user": {}, "error": "invalid bearer token"})
        groups = ["system:serviceaccounts", "system:authenticated"]
        extra = {"authentication.kubernetes.io/credential-id": ["JTI=1"]}
        status = {"authenticated": True, "user": {"username": user, "uid": "u-1", "groups": groups, "extra": extra}}
        return self._answer("TokenReview", spec, {**status, "audiences": ["https://kubernetes.default.svc"]})

    async def access(self, request: web.Request) -> web.Response:
        spec = (await request.json())["spec"]
        wanted = spec["nonResourceAttributes"]
        assert {"uid", "groups", "extra"} <= set(spec), "an authorizer may need all that is known of the user"
        rights = next(rights for user, rights in self._accounts.values() if user == spec["user"])
        allowed = (wanted["verb"], wanted["path"]) in rights
        return self._answer("SubjectAccessReview", spec, {"allowed": allowed, **({} if allowed else {"reason": ""})})

    def _answer(self, kind: str, spec: dict[str, Any], status: dict[str, Any]) -> web.Response:
        group = {"TokenReview": "authentication", "SubjectAccessReview": "authorization"}[kind]
        document = {"apiVersion": f"{group}.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec, "status": status}
        return web.json_response({"kind": kind} if self.garbled else document, status=201)

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
        assert request.headers["authorization"] == f"Bearer {PICKER}"
        answer: web.StreamResponse = await handler(request)
        return answer


@asynccontextmanager
async def fake_cluster(folder: Path) -> AsyncIterator[FakeCluster]:
    """Serve a fake API server."""
    cluster = FakeCluster(folder)
    app = web.Application(middlewares=[cluster.guard])
    app.add_routes([web.post(REVIEWS, cluster.review), web.post(ACCESSES, cluster.access)])
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
