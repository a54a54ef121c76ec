"""SIGINT and SIGTERM as an orderly end: what was started is stopped first."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import typer

SIGNALLED = 128  # plus the signal's number, as shells report it

Result = TypeVar("Result")


async def until_signalled(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what the work returns; SIGINT and SIGTERM end it, and then this program, in good order."""
    task, received = asyncio.create_task(work), list[int]()

    def stop(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise typer.Exit(SIGNALLED + received[0]) from None


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Have SIGINT and SIGTERM end this program in good order while work that is not asynchronous goes on."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    raise typer.Exit(SIGNALLED + number)
