"""Several child processes as one: all come up or none stays, and none is left behind."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from chimera_operator.local.errors import NotReady
from chimera_operator.local.plan import Command
from chimera_operator.local.process import Child

GRACE_SECONDS = 5.0
"""Between the wish to stop and the order: streams end, files close."""


@asynccontextmanager
async def supervise(commands: Sequence[Command], *, logs: Path, ready_seconds: float) -> AsyncIterator[list[Child]]:
    """Run the commands at once; yield when all serve, stop all in any case.

    Args:
        commands: What to run. Nothing that ends is started again.
        logs: Folder for one log file a command.
        ready_seconds: Time each has to come up.

    Raises:
        NotReady: A command ended or did not serve in time.
    """
    children: list[Child] = []
    try:
        for command in commands:
            children.append(await Child.start(command, logs=logs))  # noqa: PERF401 - those started are stopped if one fails
        await _all_ready(children, ready_seconds)
        yield children
    finally:
        await stop(children)


async def stop(children: Sequence[Child], *, grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask all to end, kill those that do not and what they left behind, and reap them."""
    if not children:
        return
    for child in children:
        child.signal(signal.SIGTERM)
    exits = [child.exit for child in children]
    try:
        await asyncio.wait(exits, timeout=grace_seconds)
    finally:
        for child in children:
            child.signal(signal.SIGKILL)
    await asyncio.wait(exits)


async def _all_ready(children: Sequence[Child], seconds: float) -> None:
    try:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.ready(session, seconds=seconds))
    except* NotReady as failures:
        first = failures.exceptions[0]
    else:
        return
    raise first
