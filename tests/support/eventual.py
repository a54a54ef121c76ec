"""Wait for what comes true by itself."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], expected: object) -> None:
    """Wait, for five seconds at most, until a condition has a value, and assert that it has."""
    for _ in range(500):
        if condition() == expected:
            break
        await asyncio.sleep(0.01)
    assert condition() == expected
