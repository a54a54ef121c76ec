"""What it takes to watch: whom to ask, who hears of failures, how time passes meanwhile."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from chimera_router.errors import ApiFailure


class Api(Protocol):
    """A Kubernetes API server; see `api_server`. Its calls raise ApiServerError."""

    async def check_credentials(self) -> None:
        """Raise ConfigError where there are none to ask it with."""

    async def list(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return a list."""

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Yield the events of a watch, a line each, until the server ends it after so many seconds."""


class WatchObserver(Protocol):
    """Counts what happens to watches; see `telemetry.discovery`. A resource is named by the plural of its kind."""

    def relisted(self, resource: str) -> None:
        """The list was read again: the server had forgotten what the watch was to go on from."""

    def failed(self, resource: str, failure: ApiFailure) -> None:
        """A list or a watch came to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Whoever mirrors objects of an API server.

    Attributes:
        api: The server.
        observer: Hears of failures.
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
        chance: Drawn evenly from 0 to 1.
    """

    api: Api
    observer: WatchObserver
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
