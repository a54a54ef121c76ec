"""Which pools are to be looked at, and when: each once however often it was asked for, and never twice at a time."""

import asyncio
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")


class WorkQueue(Generic[KeyT]):
    """Keys by the time at which they are due, on the event loop's clock.

    The time is kept beside its timer: uvloop's forgets it as soon as it has gone off.
    """

    def __init__(self) -> None:
        self._later: dict[KeyT, tuple[float, asyncio.TimerHandle]] = {}
        self._due: dict[KeyT, None] = {}  # in their order
        self._busy: dict[KeyT, float | None] = {}  # to when they were asked for meanwhile
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys are due and wait for somebody to take them."""
        return len(self._due)

    def add(self, key: KeyT, *, after: float = 0.0) -> None:
        """Ask for a key, unless it is asked for as soon already.

        Args:
            key: What to look at.
            after: Seconds to wait.
        """
        loop = asyncio.get_running_loop()
        when = loop.time() + after
        if key in self._busy:
            earlier = self._busy[key]
            self._busy[key] = when if earlier is None else min(when, earlier)
        elif key not in self._due and (key not in self._later or self._later[key][0] > when):
            self._cancel(key)
            self._later[key] = when, loop.call_at(when, self._arrive, key)

    async def take(self) -> KeyT:
        """Return the key that is due for longest, once there is one. Whoever takes it says when it is done."""
        while not self._due:
            self._arrived.clear()
            await self._arrived.wait()
        key = next(iter(self._due))
        del self._due[key]
        self._busy[key] = None
        return key

    def done(self, key: KeyT) -> None:
        """Let a key be taken again, if it was asked for meanwhile."""
        when = self._busy.pop(key)
        if when is not None:
            self.add(key, after=when - asyncio.get_running_loop().time())

    def _arrive(self, key: KeyT) -> None:
        del self._later[key]
        self._due[key] = None
        self._arrived.set()

    def _cancel(self, key: KeyT) -> None:
        _, timer = self._later.pop(key, (0.0, None))
        if timer is not None:
            timer.cancel()
