"""An API server that knows one Lease, in virtual time: with optimistic locking, absences and slow answers."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from scripted_apis import VirtualTime

from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.port import Call, Verb


class LeaseServer:
    """Keeps the lease.

    Attributes:
        lease: As it is; None before anybody made it.
        away: Whether nobody reaches the server.
        delay: Seconds that an answer takes.
        lost: Whether answers to writes are lost on their way.
    """

    def __init__(self, time: VirtualTime) -> None:
        self.lease: dict[str, Any] | None = None
        self.away = False
        self.delay = 0.0
        self.lost = False
        self.writes = 0
        self._time = time
        self._version = 0

    @property
    def holder(self) -> str:
        """Who has the lease."""
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""

    async def call(self, call: Call) -> bytes:
        if self.delay:
            await self._time.pause(self.delay)
        if self.away:
            raise ApiServerError(ApiFailure.UNREACHABLE)
        answer = self._answer(call)
        if self.lost and call.verb.writes:
            raise ApiServerError(ApiFailure.TIMEOUT)
        return json.dumps(answer).encode()

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise NotImplementedError

    def _answer(self, call: Call) -> dict[str, Any]:
        if call.verb is Verb.GET:
            if self.lease is None:
                raise ApiServerError(ApiFailure.NOT_FOUND)
            return self.lease
        assert call.body is not None
        told = call.body["metadata"].get("resourceVersion", "")
        if told != (self.lease["metadata"]["resourceVersion"] if self.lease else ""):
            raise ApiServerError(ApiFailure.CONFLICT)
        self._version += 1
        self.writes += 1
        metadata = {**call.body["metadata"], "resourceVersion": str(self._version)}
        self.lease = {"metadata": metadata, "spec": dict(call.body["spec"])}
        return self.lease
