"""Tell people in Kubernetes Events, once each, then as a series that counts; and read what was told."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import structlog

from chimera_operator.cluster import resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.cluster.resources import EVENT
from chimera_operator.cluster.store import Name
from chimera_operator.planning.reading.objects import items, part
from chimera_operator.planning.status.notes import Note
from chimera_operator.rendering.kinds import POOL
from chimera_operator.rendering.manifest import MANAGER, Manifest

WAITING = 1000  # notes that wait to be posted; more would be news of yesterday
KNOWN = 4096  # series that are remembered; some 4 MB
SERIES = 360.0  # seconds after which what is said again is news again, as in client-go
LONGEST = 1024  # characters that a note may have for the API server

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_log = structlog.get_logger()


class _Topic(NamedTuple):
    uid: str
    reason: str
    key: str


@dataclass(slots=True)
class _Series:
    path: str
    count: int
    last: float


@dataclass(frozen=True, slots=True)
class _Item:
    regarding: Manifest
    note: Note


@dataclass(slots=True, kw_only=True)
class Recorder:
    """Posts notes in the background: nothing waits for them, and nothing fails with them.

    Attributes:
        api: The server.
        instance: Who this operator is.
        clock: Seconds, monotonic.
        now: The time.
    """

    api: Api
    instance: str
    clock: Callable[[], float]
    now: Callable[[], datetime]
    _waiting: asyncio.Queue[_Item] = field(default_factory=lambda: asyncio.Queue(WAITING))
    _known: OrderedDict[_Topic, _Series] = field(default_factory=OrderedDict)

    def record(self, pool: Manifest, note: Note) -> None:
        """Have a note about a pool posted, unless too many wait."""
        identity = {key: pool["metadata"][key] for key in ("name", "namespace", "uid")}
        item = _Item({"apiVersion": POOL.api_version, "kind": POOL.name, **identity}, note)
        if self._waiting.full():
            _log.warning("an event is not posted", reason=note.reason)
            return
        self._waiting.put_nowait(item)

    async def run(self) -> None:
        """Post, for ever."""
        while True:
            item = await self._waiting.get()
            try:
                await self._post(item)
            except ApiServerError as error:
                _log.warning("an event was not posted", reason=item.note.reason, failure=error.failure)

    async def _post(self, item: _Item) -> None:
        topic = _Topic(item.regarding["uid"], item.note.reason, item.note.key)
        series = self._known.pop(topic, None)
        if series is None or self.clock() >= series.last + SERIES:
            series = await self._begin(topic, item)
        else:
            await self._go_on(series)
        self._known[topic] = series
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    async def _begin(self, topic: _Topic, item: _Item) -> _Series:
        place, now = item.regarding["namespace"], self.now().astimezone(UTC)
        name = f"{item.regarding['name']}.{sha256(f'{topic}{now}{self.instance}'.encode()).hexdigest()[:16]}"
        body = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": name, "namespace": place},
            "eventTime": now.strftime(_TIME),
            "reportingController": f"chimera.dev/{MANAGER}",
            "reportingInstance": self.instance,
            "action": "Reconcile",
            "reason": item.note.reason,
            "regarding": item.regarding,
            "note": item.note.message[:LONGEST],
            "type": item.note.type,
        }
        path = resources.path(EVENT, namespace=place)
        await self.api.call(Call(verb=Verb.CREATE, path=path, body=body))
        return _Series(resources.path(EVENT, namespace=place, name=name), 1, self.clock())

    async def _go_on(self, series: _Series) -> None:
        series.count, series.last = series.count + 1, self.clock()
        observed = self.now().astimezone(UTC).strftime(_TIME)
        body = {"series": {"count": series.count, "lastObservedTime": observed}}
        await self.api.call(Call(verb=Verb.PATCH, path=series.path, body=body))


async def posted(api: Api, pool: Name) -> list[Manifest]:
    """Return the Events about a pool that there are, the oldest first.

    Raises:
        ApiServerError: The server does not say.
    """
    query = {"fieldSelector": f"regarding.kind={POOL.name},regarding.name={pool.name}"}
    path = resources.path(EVENT, namespace=pool.namespace)
    found = decoded(await api.call(Call(verb=Verb.LIST, path=path, query=query)))
    return sorted(map(dict, items(found, "items")), key=last_seen)


def last_seen(event: Manifest) -> str:
    """Return when an Event was last given, as the API server writes it."""
    return str(part(event, "series").get("lastObservedTime") or event.get("eventTime") or "")
