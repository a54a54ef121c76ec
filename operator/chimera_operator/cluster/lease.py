"""Be the leader, or wait to become it.

The library has an election of its own, which ends at the first refused connection, waits without limit for an answer,
trusts the wall clock and does not give the lease back; so this is another one over the same Lease.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from chimera_operator.cluster import election, resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.election import Sighting
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, LeaseLost
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.cluster.resources import LEASE
from chimera_operator.rendering.manifest import Manifest

PATIENCE = 5.0  # seconds for an answer: two fit before the deadline

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who stands, and for what.

    Attributes:
        identity: Tells it from every other candidate.
        namespace: Of the lease.
        name: Of the lease.
    """

    identity: str
    namespace: str
    name: str


@dataclass(slots=True, kw_only=True)
class Lease:
    """One candidate's view of the lease.

    Attributes:
        api: The server.
        candidate: Who stands.
        clock: Seconds, monotonic.
        now: The time, for people who read the lease.
        sleep: Waits for so many seconds.
        chance: Drawn evenly from 0 to 1.
    """

    api: Api
    candidate: Candidate
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    _sighting: Sighting | None = None
    _acquired: datetime | None = None
    _renewed_at: float | None = None

    @property
    def held(self) -> bool:
        """Whether it is sure that nobody else leads."""
        return self._renewed_at is not None and self.clock() < self._renewed_at + election.DEADLINE

    async def acquire(self) -> None:
        """Return as the leader."""
        while not await self._attempt():
            # At random, so that candidates do not all ask at once when it becomes free.
            await self.sleep(election.RENEWAL * (1.0 + self.chance()) / 2.0)
        _log.info("leading", lease=self.candidate.name, identity=self.candidate.identity)

    async def keep(self) -> None:
        """Renew the lease, for ever.

        Raises:
            LeaseLost: It could not be renewed in time, or somebody else has it.
        """
        while self.held:
            renewed = await self._attempt()
            await self.sleep(election.RENEWAL if renewed else election.RETRY)
        raise LeaseLost

    async def release(self) -> None:
        """Give it up, if it is held and the server answers."""
        before, self._renewed_at = self._sighting if self.held else None, None
        if before is not None:
            with suppress(ApiServerError, TimeoutError):
                await self._write(Verb.UPDATE, election.given_up(before, now=self.now()), before)

    async def _attempt(self) -> bool:
        """Take or renew the lease; return whether that went well."""
        began = self.clock()
        try:
            await self._take()
        except TimeoutError:
            return self._failed(ApiFailure.TIMEOUT)
        except ApiServerError as error:
            return self._failed(error.failure)
        except LeaseLost:
            self._renewed_at = None
            return False
        self._renewed_at = began
        return True

    def _failed(self, failure: ApiFailure) -> bool:
        _log.warning("lease not renewed" if self.held else "lease not acquired", failure=failure)
        if failure is ApiFailure.CONFLICT:
            self._sighting = None  # somebody wrote it; look again
        return False

    async def _take(self) -> None:
        """Write the lease, unless somebody else has it. The leader knows what it wrote and need not look first."""
        if not self.held or self._sighting is None:
            await self._look()
        before = self._sighting
        if before is not None and not before.free(self.candidate.identity, self.clock()):
            raise LeaseLost
        if self._acquired is None or before is None or before.holder != self.candidate.identity:
            self._acquired = self.now()
        spec = election.record(self.candidate.identity, before, acquired=self._acquired, now=self.now())
        verb = Verb.CREATE if before is None else Verb.UPDATE
        self._sight(await self._write(verb, spec, before))

    async def _look(self) -> None:
        try:
            self._sight(await self._call(Call(verb=Verb.GET, path=self._path(self.candidate.name))))
        except ApiServerError as error:
            if error.failure is not ApiFailure.NOT_FOUND:
                raise
            self._sighting = None

    async def _write(self, verb: Verb, spec: Manifest, before: Sighting | None) -> Manifest:
        name, namespace = self.candidate.name, self.candidate.namespace
        known = {} if before is None else {**before.kept, "resourceVersion": before.version}
        metadata = {"name": name, "namespace": namespace, **known}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
        return await self._call(Call(verb=verb, path=self._path("" if verb is Verb.CREATE else name), body=body))

    async def _call(self, call: Call) -> Manifest:
        async with asyncio.timeout(PATIENCE):
            return decoded(await self.api.call(call))

    def _sight(self, lease: Manifest) -> None:
        self._sighting = election.sighted(lease, self._sighting, self.clock())

    def _path(self, name: str) -> str:
        return resources.path(LEASE, namespace=self.candidate.namespace, name=name)
