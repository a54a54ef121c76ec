"""A proxy in front of an API server, that answers some calls itself: 429, 500, 410, nothing for a while."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from control_planes import ADMIN, ControlPlane

_REASONS = {410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


@dataclass
class Fault:
    """What becomes of some of the calls.

    Attributes:
        status: Answered in place of the server.
        times: How often.
        methods: Of the calls that are met.
        retry_after: Seconds that the answer asks to wait; 0 for none.
    """

    status: int
    times: int
    methods: frozenset[str] = frozenset({"GET", "PATCH", "DELETE", "POST", "PUT"})
    retry_after: int = 0


class FaultProxy:
    """Forwards calls as the administrator, but for those that are to fail.

    Attributes:
        faults: Those to come, each for so many calls.
        failed: Statuses that were answered in place of the server.
        delay: Seconds before each call is forwarded.
        away: Whether every call breaks, as if nobody were there.
        kubeconfig: Of whoever asks through here.
    """

    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession) -> None:
        self.faults: list[Fault] = []
        self.failed: list[int] = []
        self.delay = 0.0
        self.away = False
        self.kubeconfig = plane.folder / "proxy.kubeconfig"
        self._watches: set[asyncio.Queue[bytes]] = set()
        self._plane = plane
        self._session = session

    def break_watches(self, status: int) -> None:
        """Have every open watch say that it failed, as an API server does in the stream."""
        line = json.dumps({"type": "ERROR", "object": _failure(status)}).encode() + b"\n"
        for watch in self._watches:
            watch.put_nowait(line)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.away and request.transport is not None:
            request.transport.abort()
        if fault := self._met(request):
            headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}
            return web.json_response(_failure(fault.status), status=fault.status, headers=headers)
        await asyncio.sleep(self.delay)
        url = f"https://127.0.0.1:{self._plane.port}{request.path_qs}"
        headers = {key: request.headers[key] for key in ("Accept", "Content-Type") if key in request.headers}
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=await request.read() or None
            ) as answer:
                if request.query.get("watch") == "true" and answer.status == 200:
                    return await self._stream(request, answer)
                kept = {key: value for key, value in answer.headers.items() if key in {"Content-Type", "Retry-After"}}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except aiohttp.ClientError:
            return web.json_response(_failure(503), status=503)

    async def _stream(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        own: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches.add(own)
        lines = asyncio.ensure_future(answer.content.readline())
        ours = asyncio.ensure_future(own.get())
        try:
            while True:
                await asyncio.wait((lines, ours), return_when=asyncio.FIRST_COMPLETED)
                if ours.done():
                    await response.write(ours.result())
                    return response
                if not (line := lines.result()):
                    return response
                await response.write(line)
                lines = asyncio.ensure_future(answer.content.readline())
        finally:
            self._watches.discard(own)
            for task in (lines, ours):
                task.cancel()

    def _met(self, request: web.Request) -> Fault | None:
        for fault in self.faults:
            if fault.times and request.method in fault.methods:
                fault.times -= 1
                self.failed.append(fault.status)
                return fault
        return None


def _failure(status: int) -> dict[str, object]:
    whole = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**whole, "message": "canary", "reason": _REASONS.get(status, ""), "code": status}


@asynccontextmanager
async def fault_proxy(plane: ControlPlane) -> AsyncIterator[FaultProxy]:
    """Run a proxy."""
    trust = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    trust.load_cert_chain(plane.folder / f"{ADMIN}.crt", plane.folder / f"{ADMIN}.key")
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**21) as session:
        proxy = FaultProxy(plane, session)
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        async with TestServer(app, host="127.0.0.1") as server:
            _write(proxy.kubeconfig, f"http://127.0.0.1:{server.port}")
            yield proxy


def _write(path: Path, server: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "it", "user": {}}],
    }
    path.write_text(yaml.safe_dump(document))
