"""Open what is shared for as long as a picker runs."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec

from prometheus_client import CollectorRegistry

from chimera_router.errors import ConfigError
from chimera_router.sharing.codec import Codec
from chimera_router.sharing.sealing import Seal
from chimera_router.sharing.server import Server
from chimera_router.sharing.settings import FLAG, SharingSettings
from chimera_router.sharing.workflows import RemoteWorkflows
from chimera_router.telemetry.sharing import OutboxCollector, SharingMetrics
from chimera_router.workflow.store import TableLimits

PICKER_BYTES = 8  # drawn at each start: what an earlier process of this picker has told stays its own


@asynccontextmanager
async def opened(
    settings: SharingSettings,
    *,
    pool: str,
    clock: Callable[[], float],
    wall: Callable[[], float],
    registry: CollectorRegistry,
) -> AsyncIterator[RemoteWorkflows]:
    """Yield what the pickers of a pool share; whether the server is there shows later.

    Args:
        settings: Where the server is, and what is secret.
        pool: Name of the pool.
        clock: Seconds on a monotonic clock.
        wall: Seconds since the Unix epoch.
        registry: Where the metrics go.

    Raises:
        ConfigError: The client library is missing.
    """
    picker = secrets.token_bytes(PICKER_BYTES)
    shared = RemoteWorkflows(
        _server(settings, pool=pool, picker=picker),
        Codec(Seal(settings.secret, pool=pool), picker, lambda: wall() - clock()),
        deadline=settings.deadline,
        clock=clock,
        metrics=SharingMetrics(registry),
    )
    registry.register(OutboxCollector(lambda: (shared.untold, shared.dropped)))
    async with shared.running():
        yield shared


def _server(settings: SharingSettings, *, pool: str, picker: bytes) -> Server:
    if find_spec("redis") is None:
        raise ConfigError(f"{FLAG}: needs the client library: pip install 'chimera[redis]'")
    from chimera_router.sharing.valkey import Valkey  # noqa: PLC0415 - an optional dependency

    return Valkey(settings.url, password=settings.password, pool=pool, picker=picker, ttl=TableLimits().ttl)
