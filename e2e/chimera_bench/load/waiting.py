"""Waiting for what nobody announces."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from chimera_operator.local.errors import LocalError

_EVERY = 0.02  # seconds between two looks


async def until(condition: Callable[[], bool], *, what: str, seconds: float) -> float:
    """Wait until something is so; return the seconds that it took.

    Args:
        condition: Whether it is.
        what: Said where it never comes true, after "not within 5 s: ".
        seconds: To wait at most.

    Raises:
        LocalError: It did not come true in time.
    """

    async def now() -> bool:
        return condition()

    return await until_awaited(now, what=what, seconds=seconds)


async def until_awaited(condition: Callable[[], Awaitable[bool]], *, what: str, seconds: float) -> float:
    """The same, where one has to ask."""
    began = time.perf_counter()
    while not await condition():
        if time.perf_counter() - began > seconds:
            raise LocalError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(_EVERY)
    return time.perf_counter() - began
