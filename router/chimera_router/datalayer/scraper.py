"""Ask every engine for its load, again and again."""

import asyncio
from collections.abc import Callable

import aiohttp

from chimera_router.datalayer import engines
from chimera_router.datalayer.datastore import Datastore

INTERVAL = 0.5  # seconds between scrapes of one engine; twice that bounds how long a dead one stays in rotation
TIMEOUT = 2.0  # seconds for one scrape; a busy engine answers in tens of milliseconds
_MAX_PAGE = 4 * 1024 * 1024  # bytes; a vLLM page has some 100 KB


class Scraper:
    """Scrapes all endpoints of a datastore side by side."""

    def __init__(
        self,
        datastore: Datastore,
        session: aiohttp.ClientSession,
        *,
        clock: Callable[[], float],
        interval: float = INTERVAL,
    ) -> None:
        self._datastore = datastore
        self._session = session
        self._clock = clock
        self._interval = interval

    async def run(self) -> None:
        """Scrape until cancelled."""
        while True:
            started = self._clock()
            await self.scrape()
            await asyncio.sleep(max(0.0, started + self._interval - self._clock()))

    async def scrape(self) -> None:
        """Ask every endpoint once and record what it says."""
        addresses = [endpoint.address for endpoint in self._datastore.endpoints]
        async with asyncio.TaskGroup() as group:
            for address in addresses:
                group.create_task(self._ask(address))

    async def _ask(self, address: str) -> None:
        try:
            async with self._session.get(
                f"http://{address}/metrics", timeout=aiohttp.ClientTimeout(total=TIMEOUT), allow_redirects=False
            ) as response:
                page = await response.content.read(_MAX_PAGE)
        except (aiohttp.ClientError, TimeoutError, OSError):
            self._datastore.failed(address)
            return
        metrics = engines.parse(page.decode(errors="replace"), engines.VLLM, now=self._clock())
        self._datastore.answered(address, metrics)
