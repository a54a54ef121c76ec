"""Mirror what the API server has: list it once, watch it from there, list again where the server has forgotten."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Generic

import structlog
from msgspec import MsgspecError, Raw, Struct, json

from chimera_router.datalayer import backoff
from chimera_router.datalayer.objects import KubernetesObject, Metadata
from chimera_router.datalayer.resources import ObjectT, Resource
from chimera_router.datalayer.watcher import Watcher
from chimera_router.errors import ApiFailure, ApiServerError

# Seconds after which the server ends a watch, up to twice that by chance. The next one confirms what is known. Where
# nothing happens nothing else does: bookmarks are not promised, and a silent connection may be long dead.
WATCH = 45.0
SHORTEST = 1.0  # seconds; a watch that ends before that without a word is a failure, for client-go too

_log = structlog.get_logger()


class _List(Struct):
    metadata: Metadata
    items: tuple[Raw, ...] = ()


class _Event(Struct):
    type: str
    object: Raw


class _Status(Struct):
    code: int = 500


_LIST, _EVENT, _STATUS = json.Decoder(_List), json.Decoder(_Event), json.Decoder(_Status)
_BOOKMARK = json.Decoder(KubernetesObject)


class Reflector(Generic[ObjectT]):
    """Objects by name, as the API server last said.

    Attributes:
        confirmed_at: When the server last said that they are so, on the clock; at first, when this was made.
    """

    def __init__(self, watcher: Watcher, resource: Resource[ObjectT]) -> None:
        self.confirmed_at = watcher.clock()
        self._watcher = watcher
        self._resource = resource
        self._decoder = json.Decoder(resource.kind)
        self._objects: Mapping[str, ObjectT] = {}
        self._version: str | None = None
        self._listed = False
        self._failures = 0
        self._interrupted = False

    async def states(self) -> AsyncGenerator[Mapping[str, ObjectT]]:
        """Yield the objects at every sign that they are what the server has, changed or not. Never ends."""
        while True:
            listed, retry_after = self._version is None, 0.0
            try:
                async with aclosing(self._signs()) as signs:
                    async for _ in signs:
                        yield self._objects
            except ApiServerError as error:
                self._note(error)
                if error.failure is ApiFailure.EXPIRED and not listed:
                    continue  # the server is there and well; a list helps at once
                self._failures += 1
                retry_after = error.retry_after
            failures, spread = max(self._failures, 1), self._watcher.chance()
            await self._watcher.sleep(backoff.delay(failures, spread=spread, retry_after=retry_after))

    async def _signs(self) -> AsyncGenerator[None]:
        """List unless there is a version to go on from, then watch until the server ends it."""
        key, selector = self._resource.selector
        if self._version is None:
            self._take(await self._watcher.api.list(self._resource.path, {key: selector}))
            yield
        query = {key: selector, "resourceVersion": self._version or "", "allowWatchBookmarks": "true"}
        seconds = round(WATCH * (1.0 + self._watcher.chance()))
        async with self._watcher.api.watch(self._resource.path, query, seconds=seconds) as lines:
            self._confirmed()
            opened, heard = self.confirmed_at, False
            yield
            async for line in lines:
                self._hear(line)
                heard = True
                yield
        if not heard and self._watcher.clock() < opened + SHORTEST:
            raise ApiServerError(ApiFailure.CLOSED)
        self._failures = 0

    def _take(self, page: bytes) -> None:
        try:
            found = _LIST.decode(page)
            objects = [self._decoder.decode(item) for item in found.items]
        except MsgspecError:
            raise ApiServerError(ApiFailure.MALFORMED) from None
        self._objects = {each.metadata.name: each for each in objects}
        self._version = found.metadata.resource_version
        if self._listed:
            self._watcher.observer.relisted(self._resource.name)
        self._listed = True
        self._confirmed()

    def _hear(self, line: bytes) -> None:
        try:
            self._apply(_EVENT.decode(line))
        except MsgspecError:
            self._version = None  # only a list tells now what is there
            raise ApiServerError(ApiFailure.MALFORMED) from None
        self._failures = 0
        self._confirmed()

    def _apply(self, event: _Event) -> None:
        match event.type:
            case "ERROR":
                expired = _STATUS.decode(event.object).code == 410
                raise ApiServerError(ApiFailure.EXPIRED if expired else ApiFailure.SERVER_ERROR)
            case "BOOKMARK":
                self._version = _BOOKMARK.decode(event.object).metadata.resource_version
            case kind:
                found = self._decoder.decode(event.object)
                self._version, name = found.metadata.resource_version, found.metadata.name
                others = {key: each for key, each in self._objects.items() if key != name}
                self._objects = others if kind == "DELETED" else {**others, name: found}

    def _note(self, error: ApiServerError) -> None:
        """Count a failure, and say the first in a row."""
        self._watcher.observer.failed(self._resource.name, error.failure)
        if error.failure is ApiFailure.EXPIRED:
            self._version = None
        if not self._interrupted:
            _log.warning("watch interrupted", resource=self._resource.name, failure=error.failure)
        self._interrupted = True

    def _confirmed(self) -> None:
        if self._interrupted:
            _log.info("watch goes on", resource=self._resource.name)
        self._interrupted = False
        self.confirmed_at = self._watcher.clock()
