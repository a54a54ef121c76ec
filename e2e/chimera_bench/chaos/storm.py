"""Clients that ask and change their minds."""

import asyncio
import random

from chimera_bench.load.cases import Case
from chimera_bench.load.client import connect
from chimera_bench.load.prompts import Prompts

ENDLESS = Case(name="endless", body=1000, chunks=1000, gap=0.01)
PATIENCE = 0.05  # seconds within which a client changes its mind: before, while and after its way is decided on
_SEED = 7


class Storm:
    """So far calm.

    Args:
        port: Where they connect.

    Attributes:
        raging: Set while they may ask.
        cancelled: Requests so far.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._draw = random.Random(_SEED)  # noqa: S311 - impatience, no secret
        self._prompts = Prompts(ENDLESS)
        self.raging = asyncio.Event()
        self.cancelled = 0

    async def rage(self, requests: int, *, clients: int) -> None:
        """Cancel so many requests, by so many clients at once; return when all are."""
        end = self.cancelled + requests
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client(end - clients))

    async def _client(self, end: int) -> None:
        while self.cancelled < end:
            await self.raging.wait()
            await self.cancel()

    async def cancel(self) -> None:
        """Ask once, and change one's mind."""
        connection = await connect(self._port)
        connection.write(self._prompts.next())
        await asyncio.sleep(self._draw.random() * PATIENCE)
        connection.close()
        self.cancelled += 1
