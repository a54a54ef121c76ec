"""Start the endpoint picker, serve until a stop is asked for, stop in order."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import structlog
import uvloop

from chimera_router import arguments, edge, picker
from chimera_router.arguments import Arguments
from chimera_router.director import Director
from chimera_router.edge import Edge
from chimera_router.errors import ConfigError
from chimera_router.extproc.health import Health
from chimera_router.extproc.server import drain, server
from chimera_router.feedback.server import FeedbackServer
from chimera_router.management import server as management
from chimera_router.management.pages import Management
from chimera_router.picker import Picker
from chimera_router.readiness import Readiness
from chimera_router.telemetry import logs

USAGE_ERROR = 2

_log = structlog.get_logger()


def main() -> None:
    """Run the picker until SIGTERM or SIGINT; exit 2 with one line where it cannot start."""
    told = arguments.parse()
    logs.configure(told.log_level)
    try:
        uvloop.run(_serve(told))
    except ConfigError as error:
        sys.stderr.write(f"chimera-router: {error}\n")
        sys.exit(USAGE_ERROR)


async def _serve(told: Arguments) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        running = await _unless(stop, stack.enter_async_context(picker.opened(told)))
        if running is None:
            return
        outside = await stack.enter_async_context(edge.opened(told, running.metrics))
        health = Health()
        readiness = Readiness(health, lambda: running.synced)
        pages = Management(running.director, unready=readiness.why_not, gate=outside.gate)
        management_port = await _serve_pages(stack, pages, told, outside)
        certificates = outside.certificates
        port = server(
            told.transport, running.director, health, host=told.host, port=told.grpc_port, certificates=certificates
        )
        stack.push_async_callback(drain, port, health, told.drain)
        if told.feedback_port is not None:
            await _serve_feedback(stack, running.director, told, outside)
        await running.start()
        await port.start()
        readiness.serving = True
        _log.info("serving", grpc_port=port.port, management_port=management_port)
        await _until(stop, readiness.run(), *running.work(), *outside.work())
        readiness.stopping = True


async def _unless(stop: asyncio.Event, opening: Coroutine[Any, Any, Picker]) -> Picker | None:
    """Return the picker, or None where a stop is asked for first: a ConfigMap is waited for until it is there."""
    opened, stopped = asyncio.ensure_future(opening), asyncio.ensure_future(stop.wait())
    await asyncio.wait((opened, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if opened.done():
        return opened.result()
    opened.cancel()
    await asyncio.wait((opened,))
    return None


async def _serve_pages(stack: AsyncExitStack, pages: Management, told: Arguments, outside: Edge) -> int:
    certificates = outside.certificates if told.management_tls else None
    server = await management.serve(pages, host=told.host, port=told.management_port, certificates=certificates)
    stack.push_async_callback(server.stop)
    return server.port


async def _serve_feedback(stack: AsyncExitStack, director: Director, told: Arguments, outside: Edge) -> None:
    address = f"{told.host}:{told.feedback_port}"
    server = FeedbackServer(director, address=address, gate=outside.gate, certificates=outside.certificates)
    await server.start()
    stack.push_async_callback(server.stop)


async def _until(stop: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Keep the background work going until a stop is asked for."""

    async def stopper() -> None:
        await stop.wait()
        raise _Stopped

    try:
        async with asyncio.TaskGroup() as group:
            for each in (*work, stopper()):
                group.create_task(each)
    except* _Stopped:
        _log.info("stopping")


class _Stopped(Exception):  # noqa: N818 - a signal, not an error
    """Ends the task group."""


if __name__ == "__main__":
    main()
