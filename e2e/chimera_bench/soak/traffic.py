"""The requests of a soak: small and large, whole and streamed, of known workflows and new ones, cancelled, wrong."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from chimera_bench.chaos.ground import Ground
from chimera_bench.chaos.probe import BODY, probe
from chimera_bench.chaos.storm import Storm
from chimera_bench.load import http1
from chimera_bench.load.cases import Case
from chimera_bench.load.client import Load, clock
from chimera_bench.load.prompts import CHAT, Prompts
from chimera_router import wire

Send = Callable[[], Awaitable[int | None]]
"""Sends a request and returns, when it is over, the status that it got where that is the wrong one."""

CLIENTS = 32  # at once
_WORKFLOWS = 200  # that come back for another stage again and again
_SEED = 7

_STREAM = Case(name="stream", body=1000, chunks=20, gap=0.005)
_STAGE = Case(name="stage", body=4000)
_WRONG = {
    http1.request("POST", CHAT, BODY[:-20]): 400,
    http1.request("POST", CHAT, BODY.replace(b"auto", b"gpt-9")): 404,
    http1.request("POST", "/v1/embeddings", BODY): 404,
    http1.request("GET", CHAT): 405,
}


class Traffic:
    """Requests of all kinds to one pool, drawn from a seed.

    Args:
        pool: Where they go.

    Attributes:
        sent: Requests so far, by kind.
        failed: Those that did not go as they had to, by kind and status.
    """

    def __init__(self, pool: Ground) -> None:
        self._port = pool.port
        self._draw = random.Random(_SEED)  # noqa: S311 - traffic, no secret
        self._storm = Storm(pool.port)
        self._kinds = self._made(pool)
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    async def send(self, requests: int, *, kinds: Mapping[str, int] | None = None) -> None:
        """Send so many, by several clients at once; return when all are over.

        Args:
            requests: How many.
            kinds: Weights by kind; None mixes all.
        """
        weights, end = kinds or KINDS, self.sent.total() + requests
        names, shares = list(weights), list(weights.values())

        async def client() -> None:
            while self.sent.total() < end:
                (kind,) = self._draw.choices(names, shares)
                self.sent[kind] += 1
                status = await self._kinds[kind]()
                if status is not None:
                    self.failed[f"{kind}: {status}"] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client())

    def _made(self, pool: Ground) -> Mapping[str, Send]:
        workflows = [Prompts(_STAGE, headers=f"{wire.WORKFLOW_ID}: soak-{number}\r\n") for number in range(_WORKFLOWS)]
        return {
            "1 KB": _asking(pool.load(Case(name="small", body=1000))),
            "10 KB": _asking(pool.load(Case(name="middle", body=10_000))),
            "100 KB": _asking(pool.load(Case(name="large", body=100_000))),
            "stream": _asking(pool.load(_STREAM)),
            "later stage": _asking(Load(pool.port, lambda: self._draw.choice(workflows).next())),
            "cancelled": self._cancel,
            "wrong": self._err,
        }

    async def _cancel(self) -> None:
        await self._storm.cancel()

    async def _err(self) -> int | None:
        request, status = self._draw.choice(list(_WRONG.items()))
        found = (await probe(self._port, request)).status
        return None if found == status else found


KINDS: Mapping[str, int] = {
    "1 KB": 30,
    "10 KB": 10,
    "100 KB": 5,
    "stream": 20,
    "later stage": 20,
    "cancelled": 10,
    "wrong": 5,
}
"""How often each kind comes, in percent."""


def _asking(load: Load) -> Send:
    async def send() -> int | None:
        sample = await load.once(clock())
        return None if sample.good else sample.status

    return send
