"""Run the operator: wait to lead, lead, stop in order."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import structlog
import uvloop

from chimera_operator import settings
from chimera_operator.assembly import Assembly
from chimera_operator.cluster import credentials
from chimera_operator.cluster.client import ApiServer
from chimera_operator.cluster.errors import CredentialsError
from chimera_operator.cluster.fence import Fence
from chimera_operator.cluster.lease import Candidate, Lease
from chimera_operator.handlers import PoolWatch
from chimera_operator.leader import Leader
from chimera_operator.planning.plan import plan
from chimera_operator.reconciler import Planner
from chimera_operator.settings import Settings
from chimera_operator.telemetry import logs
from chimera_operator.telemetry.gauges import State
from chimera_operator.telemetry.metrics import Metrics
from chimera_operator.telemetry.pages import Pages, served

FAILED, USAGE_ERROR = 1, 2

_log = structlog.get_logger()


def main(planner: Planner = plan) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Exits with 1 where another one may lead or something fails that a new start mends, with 2 and a line where it cannot
    start.

    Args:
        planner: Decides what is to be done about a pool.
    """
    told = settings.parse()
    logs.configure(told.log_level)
    try:
        uvloop.run(_serve(told, planner))
    except CredentialsError as error:
        sys.stderr.write(f"chimera-operator: {error}\n")
        sys.exit(USAGE_ERROR)
    except Exception as error:  # noqa: BLE001 - its text may repeat what it was given
        _log.error("stopped, a new start may help", why=sorted(set(_why(error))))
        sys.exit(FAILED)


def _why(error: Exception) -> Iterator[str]:
    """Yield kind and place of everything that went wrong."""
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _why(each)
    else:
        yield f"{type(error).__name__} at {logs.origin(error)}"


async def _serve(told: Settings, planner: Planner) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        library = await stack.enter_async_context(credentials.connected(told.kubeconfig))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        api = ApiServer(library, metrics)
        candidate = Candidate(identity=told.identity, namespace=told.operator_namespace, name=told.lease_name)
        lease = Lease(api=api, candidate=candidate)
        fenced = Fence(api, lambda: lease.held)
        parts = Assembly(told, fenced, session=session, metrics=metrics, planner=planner)
        pool_watch = PoolWatch(parts.pools, told.kubeconfig, told.namespaces, missed=parts.list_pools, observer=metrics)
        leader = Leader(parts, pool_watch, lease)
        state = State(
            leads=lambda: lease.held,
            due=lambda: len(parts.controller.queue),
            silence=leader.silence,
            census=parts.census,
        )
        metrics.watch(state)
        pages = Pages(stuck=leader.stuck, unready=leader.unready, metrics=metrics.page)
        port = await stack.enter_async_context(served(pages, host=told.host, port=told.management_port))
        _log.info("serving", management_port=port, identity=told.identity)
        stack.push_async_callback(lease.release)
        for work in (lease.acquire, leader.run):
            if not stop.is_set():
                await _unless(stop, work())


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Work until that is done or a stop is asked for."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopped):
        task.cancel()
    await asyncio.wait((working, stopped))
    if not working.cancelled():
        working.result()


if __name__ == "__main__":
    main()
