"""Ask one engine for its load over HTTP, and find out whether it is there at all.

Whether an engine serves is one question and how busy it is another. One whose metrics page is slow, broken or missing
serves all the same: its load is unknown then. Nobody is there only where the connection is refused, a proxy says so, or
neither the page nor `/health` comes in time.
"""

from collections.abc import Callable

import aiohttp

from chimera_router.engines.belief import Heard, Witness
from chimera_router.engines.types import Outcome

CONNECT_TIMEOUT = (
    1.5  # seconds; a cluster's network takes milliseconds, and the first packet, if lost, comes again at 1 s
)
PAGE_TIMEOUT = 2.0  # seconds for a page; a busy engine answers in tens of milliseconds
HEALTH_TIMEOUT = 1.0  # seconds for `/health`, which is asked where the page was late; engines answer it at once
MAX_PAGE = 4 * 1024 * 1024  # bytes; a vLLM page has some 100 KB

_UNREACHABLE = frozenset((502, 503, 504))  # what a proxy answers for an engine that is not there
_PAGE = aiohttp.ClientTimeout(total=PAGE_TIMEOUT, connect=CONNECT_TIMEOUT)
_HEALTH = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT)


def open_session() -> aiohttp.ClientSession:
    """Return a client that asks cheaply: connections are kept, pages are not packed, which costs more than it saves."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # whoever asks bounds how much at once
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
    )


class EngineClient:
    """Asks engines.

    Args:
        session: See `open_session`.
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock

    async def ask(self, address: str, witness: Witness) -> Heard:
        """Return what came of asking the engine at `ip:port`, and its load where that is believed."""
        try:
            return await self._ask(address, witness)
        except aiohttp.ConnectionTimeoutError:
            return Outcome.SILENT, None
        except TimeoutError:
            return (Outcome.SLOW if await self._is_alive(address) else Outcome.SILENT), None
        except (aiohttp.ClientError, OSError):
            return Outcome.UNREACHABLE, None

    async def _ask(self, address: str, witness: Witness) -> Heard:
        url = f"http://{address}{witness.profile.path}"
        async with self._session.get(url, timeout=_PAGE, allow_redirects=False) as response:
            if response.status in _UNREACHABLE:
                return Outcome.UNREACHABLE, None
            page = await _body(response) if response.ok else None
        return (Outcome.MISSING, None) if page is None else witness.hear(page, self._clock())

    async def _is_alive(self, address: str) -> bool:
        url = f"http://{address}/health"
        try:
            async with self._session.get(url, timeout=_HEALTH, allow_redirects=False) as response:
                return response.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the whole body; None where it is longer than any page."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_PAGE:
            return None
    return b"".join(parts)
