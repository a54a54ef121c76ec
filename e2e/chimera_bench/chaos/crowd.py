"""Clients that begin a request and never finish it."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from chimera_bench.load import http1
from chimera_bench.load.client import Connection, clock, connect
from chimera_bench.load.prompts import CHAT

_BEGUN = http1.head("POST", CHAT, 1000) + b"{"
_TURNS = 100  # a second, in each of which as large a part of the clients sends a byte
_AT_ONCE = 200  # connections that are opened together: more at once would measure the machine's backlog of them


class Crowd:
    """So far nobody.

    Args:
        port: Where they connect.

    Attributes:
        sending: Set while they send.
        statuses: What those got who were answered, and how many of them.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: dict[Connection, asyncio.Task[None]] = {}
        self.sending = asyncio.Event()
        self.statuses: Counter[int] = Counter()

    @property
    def waiting(self) -> int:
        """How many were not answered, nor turned away."""
        return len(self._waiting)

    async def begin(self, count: int) -> None:
        """Let so many more begin."""
        for start in range(0, count, _AT_ONCE):
            opened = await asyncio.gather(*(connect(self._port) for _ in range(min(_AT_ONCE, count - start))))
            self._waiting |= {each: asyncio.create_task(self._wait(each)) for each in opened}

    async def dribble(self) -> None:
        """Let each of them send a byte a second while they may, until cancelled."""
        turn = 0
        while await self.sending.wait():
            for connection in list(self._waiting)[turn::_TURNS]:
                connection.write(b" ")
            turn = (turn + 1) % _TURNS
            await asyncio.sleep(1 / _TURNS)

    async def leave(self) -> Mapping[int, int]:
        """Let all go home; return what those got who had been answered."""
        statuses, waiting = self.statuses.copy(), tuple(self._waiting.items())
        for connection, _ in waiting:
            connection.close()
        await asyncio.gather(*(task for _, task in waiting))
        return statuses

    async def _wait(self, connection: Connection) -> None:
        sample = await connection.ask(_BEGUN, clock())
        self.statuses[sample.status] += 1
        del self._waiting[connection]
