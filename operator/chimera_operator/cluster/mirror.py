"""Mirror what the API server has: list it once, watch it from there, list again only where the server has forgotten."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from chimera_operator.cluster import backoff
from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.port import Call, Verb
from chimera_operator.cluster.store import Name, Store
from chimera_operator.cluster.watcher import Presence, Subject, Watcher
from chimera_operator.rendering.manifest import Manifest

WATCH = 240  # seconds after which the server ends a watch, up to twice that by chance; 20 watches are a call each 18 s
SHORTEST = 1.0  # seconds; a watch that ends before that without a word is a failure, for client-go too
ABSENCE = 60.0  # seconds after which a kind that the server does not have is asked for again
PAGE = 500  # objects that a list asks for at once, as client-go does: 2 to 5 MB
# Seconds of such answers alone until a kind that was there, or may not be seen, counts as absent: an API server that
# starts denies everything until it has read its roles, which takes two seconds on a quiet machine.
DOUBT = 10.0

_ABSENT = frozenset({ApiFailure.NOT_FOUND, ApiFailure.FORBIDDEN})

_log = structlog.get_logger()


class _ListMeta(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion")
    proceed: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: dict[str, Any]


_PAGE, _EVENT = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_Event)


class Mirror:
    """Keeps a store as the API server has it.

    Args:
        watcher: What it takes to watch.
        subject: What is mirrored.
        store: Keeps it.
        turned: Called when the presence of the kind has changed.

    Attributes:
        subject: What is mirrored.
        presence: Whether the server has the kind. A definition may come and go.
        heard_at: When the server last said anything, or was last asked in vain, on the clock.
    """

    def __init__(
        self, watcher: Watcher, subject: Subject, store: Store, turned: Callable[[], None] = lambda: None
    ) -> None:
        self.presence = Presence.UNKNOWN
        self.heard_at = watcher.clock()
        self._watcher = watcher
        self.subject = subject
        self._store = store
        self._turned = turned
        self._version: str | None = None
        self._failures = 0
        self._missed_at: float | None = None

    async def run(self) -> None:
        """Mirror, for ever."""
        while True:
            await self._watcher.sleep(await self._attempt())

    async def _attempt(self) -> float:
        """Follow until that ends; return the seconds to wait before the next attempt."""
        retry_after = 0.0
        try:
            await self._follow()
        except ApiServerError as error:
            self._note(error)
            if self._is_absent(error.failure):
                self._turn(Presence.ABSENT)
                return ABSENCE
            retry_after = error.retry_after
        failures, spread = max(self._failures, 1), self._watcher.chance()
        return backoff.delay(failures, spread=spread, retry_after=retry_after)

    def _is_absent(self, failure: ApiFailure) -> bool:
        """Return whether the server has said for long enough that there is nothing: one that starts says so too.

        Nothing else counts. A server that was away has said nothing, however often it was asked.
        """
        if failure not in _ABSENT:
            self._missed_at = None
            return False
        if self._missed_at is None:
            self._missed_at = self._watcher.clock()
        unseen = failure is ApiFailure.NOT_FOUND and self.presence is Presence.UNKNOWN
        return unseen or self.presence is Presence.ABSENT or self._watcher.clock() >= self._missed_at + DOUBT

    async def _follow(self) -> None:
        """List unless there is a version to go on from, then watch until the server ends it."""
        if self._version is None:
            await self.list()
        seconds = round(WATCH * (1.0 + self._watcher.chance()))
        query = {**self.subject.query, "resourceVersion": self._version or ""}
        opened, heard = self._watcher.clock(), False
        async with self._watcher.api.watch(self.subject.path, query, seconds=seconds) as lines:
            self.heard_at = opened
            async for line in lines:
                self._hear(line)
                heard = True
        if not heard and self._watcher.clock() < opened + SHORTEST:
            raise ApiServerError(ApiFailure.CLOSED)
        self._failures = 0

    async def list(self) -> None:
        """Take page after page, one object in Python's form at a time, and drop what no page had.

        Raises:
            ApiServerError: The server does not say.
        """
        there: set[Name] = set()
        page = await self._page()
        while True:
            there |= {self._store.put(self._item(item)) for item in page.items or ()}
            if not page.metadata.proceed:
                break
            page = await self._page({"continue": page.metadata.proceed})
        self._store.retain(there, version=page.metadata.version, namespace=self.subject.namespace)
        self._reached(page.metadata.version)
        self._turn(Presence.PRESENT)

    async def _page(self, proceed: Mapping[str, str] | None = None) -> _Page:
        query = {**self.subject.query, "limit": str(PAGE), **(proceed or {})}
        answer = await self._watcher.api.call(Call(verb=Verb.LIST, path=self.subject.path, query=query))
        self.heard_at = self._watcher.clock()
        try:
            return _PAGE.decode(answer)
        except msgspec.MsgspecError:
            raise ApiServerError(ApiFailure.MALFORMED) from None

    def _item(self, item: msgspec.Raw) -> Manifest:
        """Return an item of a list with what its list says of all."""
        kind = self.subject.kind
        return {"apiVersion": kind.api_version, "kind": kind.name, **msgspec.json.decode(item)}

    def _hear(self, line: bytes) -> None:
        try:
            self._apply(_EVENT.decode(line))
        except msgspec.MsgspecError:
            self._version = None  # only a list tells now what is there
            raise ApiServerError(ApiFailure.MALFORMED) from None
        self._failures = 0
        self.heard_at = self._watcher.clock()

    def _apply(self, event: _Event) -> None:
        match event.type:
            case "ERROR":
                expired = event.object.get("code") == 410
                raise ApiServerError(ApiFailure.EXPIRED if expired else ApiFailure.SERVER_ERROR)
            case "DELETED":
                self._store.remove(event.object)
            case "ADDED" | "MODIFIED":
                self._store.put(event.object)
        self._reached(event.object["metadata"]["resourceVersion"])

    def _reached(self, version: str) -> None:
        self._version = version
        self._store.seen = max(self._store.seen, int(version))

    def _note(self, error: ApiServerError) -> None:
        """Count a failure, and say the first in a row."""
        self._watcher.observer.interrupted(self.subject.name, error.failure)
        self.heard_at = self._watcher.clock()
        if error.failure in {ApiFailure.EXPIRED, *_ABSENT}:
            self._version = None
        if self._failures == 0 and error.failure is not ApiFailure.NOT_FOUND:
            _log.warning("watch interrupted", resource=self.subject.name, failure=error.failure)
        self._failures += 1

    def _turn(self, presence: Presence) -> None:
        before, self.presence = self.presence, presence
        self._missed_at = None
        if presence is Presence.ABSENT:
            self._store.clear(namespace=self.subject.namespace)
        if presence is not before:
            self._turned()
