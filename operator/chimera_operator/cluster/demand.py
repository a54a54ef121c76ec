"""What is asked of each model, as the pool's pickers tell it on their status pages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import aiohttp
import msgspec
import structlog

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.observed import Demand
from chimera_operator.planning.reading.objects import condition, items, labels_of, part
from chimera_operator.rendering.manifest import COMPONENT_LABEL, PICKER, Manifest
from chimera_operator.rendering.picker import names

PAGE = "/chimera/v1/status"
PATIENCE = 2.0  # seconds for a page; a picker makes one in milliseconds
LARGEST = 1024 * 1024  # bytes; a page of 32 models has 10 KB

_log = structlog.get_logger()


class _Model(msgspec.Struct):
    model: str
    in_flight_tokens: float
    held: int
    held_tokens: float
    idle_seconds: float


class _Page(msgspec.Struct):
    models: tuple[_Model, ...]


_PAGE = msgspec.json.Decoder(_Page)


class Demands:
    """Asks pickers.

    Args:
        session: Of an HTTP client.
        token: Returns a token that may read the page, and nothing else: pages are plain HTTP unless the pool wants it
            otherwise. None where there is no such token.
        port: Of the pages.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        token: Callable[[], Awaitable[str | None]],
        *,
        port: int = names.MANAGEMENT,
    ) -> None:
        self._session = session
        self._token = token
        self._port = port

    async def ask(self, pool: HeterogeneousModelPool, pods: Iterable[Manifest]) -> Mapping[str, Demand] | None:
        """Return what is asked of each model; None where not every ready picker tells.

        A load of which a part is missing would look like less, and end replicas that are needed.

        Args:
            pool: The pool.
            pods: Its pods.
        """
        addresses = [str(pod["status"]["podIP"]) for pod in pods if _decides(pod)]
        scheme = "https" if pool.spec.picker.management.tls else "http"
        token = await self._token() if pool.spec.picker.management.auth == "Kubernetes" else None
        pages = await asyncio.gather(
            *(self._page(f"{scheme}://{_host(ip)}:{self._port}{PAGE}", token) for ip in addresses)
        )
        told = [page for page in pages if page is not None]
        return _together(told) if told and len(told) == len(pages) else None

    async def _page(self, url: str, token: str | None) -> _Page | None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = aiohttp.ClientTimeout(total=PATIENCE)
        try:
            # Pickers make their own certificates; what is read here is no secret, and the token opens nothing else.
            async with self._session.get(
                url, headers=headers, timeout=limits, ssl=False, allow_redirects=False
            ) as response:
                if response.status == 200:
                    return _PAGE.decode(await response.content.read(LARGEST))
                _log.warning("a picker does not tell its load", status=response.status)
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:  # time-outs are among the second
            _log.warning("a picker does not tell its load", kind=type(error).__name__)
        return None


def _decides(pod: Manifest) -> bool:
    """Return whether a pod is a picker that takes requests."""
    picker = labels_of(pod).get(COMPONENT_LABEL) == PICKER and "deletionTimestamp" not in pod["metadata"]
    ready = condition(items(pod, "status", "conditions"), "Ready").get("status") == "True"
    return picker and ready and bool(part(pod, "status").get("podIP"))


def _host(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _together(pages: Sequence[_Page]) -> Mapping[str, Demand]:
    """Return the sums over all pickers: each knows its own requests only."""
    names = {model.model for page in pages for model in page.models}
    return {name: _demand([model for page in pages for model in page.models if model.model == name]) for name in names}


def _demand(told: Sequence[_Model]) -> Demand:
    return Demand(
        backlog_tokens=round(sum(model.in_flight_tokens + model.held_tokens for model in told)),
        waiting=sum(model.held for model in told),
        idle_seconds=min(model.idle_seconds for model in told),
    )
