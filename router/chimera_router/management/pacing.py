"""Let work take no more than a share of the event loop's time, however many ask for it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


class Pace:
    """Does one piece of work after another, and leaves the event loop to others in between as their share asks for.

    Args:
        share: Of the time, above 0 and up to 1.
        clock: Seconds that never go back.
    """

    def __init__(self, share: float, *, clock: Callable[[], float]) -> None:
        self._rest = 1.0 / share - 1.0
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next = 0.0

    async def do(self, work: Callable[[], Made]) -> Made:
        """Return what the work returns, once it is its turn."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next - self._clock()))
            began = self._clock()
            made = work()
            ended = self._clock()
            self._next = ended + (ended - began) * self._rest
            return made
