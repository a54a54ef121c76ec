"""Many mirrors, run together; what they reflect may be missing, and may come and go."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chimera_operator.cluster.mirror import Mirror
from chimera_operator.cluster.store import Store
from chimera_operator.cluster.watcher import Presence, Subject, Watcher


@dataclass(frozen=True, slots=True)
class Reflection:
    """A store, and the mirrors that fill it: one for each namespace, or one for all."""

    store: Store
    mirrors: tuple[Mirror, ...]

    @property
    def presence(self) -> Presence:
        """Whether the server has what is reflected; known once every mirror knows."""
        found = {mirror.presence for mirror in self.mirrors}
        return next(each for each in (Presence.UNKNOWN, Presence.PRESENT, Presence.ABSENT) if each in found)


class Mirrors:
    """Runs mirrors.

    Args:
        watcher: What it takes to watch.
        turned: Called when it has changed whether the server has a kind.
    """

    def __init__(self, watcher: Watcher, turned: Callable[[], None]) -> None:
        self._watcher = watcher
        self._turned = turned
        self._reflections: list[Reflection] = []
        self._start: Callable[[Mirror], object] = lambda _mirror: None  # until they run
        self._turns = asyncio.Event()

    def add(self, subjects: Iterable[Subject], store: Store) -> Reflection:
        """Return the reflection of these subjects in one store, kept from now on, or from when the others are."""
        mirrors = tuple(Mirror(self._watcher, subject, store, self._turn) for subject in subjects)
        reflection = Reflection(store, mirrors)
        self._reflections.append(reflection)
        for mirror in mirrors:
            self._start(mirror)
        return reflection

    async def run(self) -> None:
        """Mirror, for ever."""
        async with asyncio.TaskGroup() as group:
            self._start = lambda mirror: group.create_task(mirror.run())
            for mirror in self._all():
                self._start(mirror)

    async def settled(self) -> None:
        """Wait until every mirror knows whether the server has its kind, and has it all."""
        await self.until(lambda: all(each.presence is not Presence.UNKNOWN for each in self._reflections))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds that only the presence of kinds can change."""
        while not condition():
            self._turns.clear()
            await self._turns.wait()

    def silence(self) -> Mapping[str, float]:
        """Return by resource the seconds since its watch last heard or asked anything."""
        now = self._watcher.clock()
        return {mirror.subject.name: now - mirror.heard_at for mirror in self._all()}

    def _all(self) -> Iterator[Mirror]:
        return (mirror for reflection in self._reflections for mirror in reflection.mirrors)

    def _turn(self) -> None:
        self._turns.set()
        self._turned()
