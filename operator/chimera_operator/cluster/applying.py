"""Bring one object to what it should be: not written without need, never taken from another pool or person unseen."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chimera_operator.api.names import POOL_LABEL
from chimera_operator.cluster import intent as intents
from chimera_operator.cluster import objects
from chimera_operator.cluster.contests import Contests
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, NotOurs
from chimera_operator.cluster.port import Api
from chimera_operator.planning.reading.objects import items, labels_of
from chimera_operator.rendering.manifest import Manifest, key_of


class Change(StrEnum):
    """Why an object was written."""

    CREATED = "created"
    UPDATED = "updated"
    """Something else was intended."""
    RESTORED = "restored"
    """It was not what it had been told to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An object that was written.

    Attributes:
        live: As it is now.
        change: Why.
        field: The first thing that was missing; empty where the object was.
        taken: Fields that others had, with the server's words on who.
    """

    live: Manifest
    change: Change
    field: str = ""
    taken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Contested:
    """An object that is left as it is for a while, since somebody else goes on changing it.

    Attributes:
        field: The first thing that is missing.
        wait: Seconds.
    """

    field: str
    wait: float


class WriteObserver(Protocol):
    """Counts writes; see `telemetry.metrics`."""

    def wrote(self, kind: str, change: str) -> None:
        """An object of this kind was written, for this reason."""


class Applier:
    """Writes objects.

    Args:
        api: The server.
        observer: Counts what is written.
        clock: Seconds, monotonic.
    """

    def __init__(self, api: Api, observer: WriteObserver, clock: Callable[[], float]) -> None:
        self._api = api
        self._observer = observer
        self._clock = clock
        self._contests = Contests()

    def due(self, intent: Manifest, live: Manifest | None) -> bool:
        """Return whether an object has to be written, as far as is known."""
        return live is None or intents.missing(live, intents.stamped(intent)) is not None

    async def bring(self, intent: Manifest, live: Manifest | None) -> Written | Contested | None:
        """Write an object if there is need; None where there is none.

        Args:
            intent: What it should be.
            live: What it is, as far as is known; None where it is not known to be there.

        Raises:
            NotOurs: An object of that name belongs to somebody else.
            ApiServerError: The server refuses.
        """
        stamped = intents.stamped(intent)
        if live is None or intents.told(live) == intents.told(stamped):
            live = await objects.read(self._api, key_of(intent))  # what is known may be old
        if live is None:
            return await self._write(stamped, Change.CREATED, "")
        if not _ours(live, intent):
            raise NotOurs(key_of(intent))
        field = intents.missing(live, stamped)
        if field is None:
            return None
        return await self._change(stamped, live, field)

    async def delete(self, live: Manifest) -> None:
        """Delete an object, unless it has changed since it was seen.

        Raises:
            ApiServerError: The server refuses.
        """
        await objects.delete(self._api, live)
        self._observer.wrote(live["kind"], "deleted")

    async def _change(self, stamped: Manifest, live: Manifest, field: str) -> Written | Contested | None:
        if "deletionTimestamp" in live["metadata"]:
            return None  # its end wakes the pool, and then it is made anew
        if intents.told(live) != intents.told(stamped):
            return await self._write(stamped, Change.UPDATED, field)
        if wait := self._contests.wait(key_of(stamped), self._clock()):
            return Contested(field, wait)
        self._contests.set_back(key_of(stamped), self._clock())
        return await self._write(stamped, Change.RESTORED, field)

    async def _write(self, stamped: Manifest, change: Change, field: str) -> Written:
        taken: tuple[tuple[str, str], ...] = ()
        try:
            live = await objects.apply(self._api, stamped)
        except ApiServerError as error:
            if error.failure is not ApiFailure.CONFLICT or not error.causes:
                raise
            taken = error.causes
            live = await objects.take(self._api, stamped)
        self._observer.wrote(stamped["kind"], change)
        return Written(live=live, change=change, field=field, taken=taken)


def _ours(live: Manifest, intent: Manifest) -> bool:
    """Return whether an object has the owner that it should have, or was made for an earlier pool of that name."""
    owners, wanted = (
        {owner["uid"] for owner in items(manifest, "metadata", "ownerReferences")} for manifest in (live, intent)
    )
    same_pool = labels_of(live).get(POOL_LABEL) == labels_of(intent).get(POOL_LABEL)
    return bool(owners & wanted) or (same_pool and bool(intents.told(live)))
