"""Start the endpoint picker, serve until a stop is asked for, stop in order."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack

import structlog
import uvloop

from chimera_router import arguments, management, picker
from chimera_router.arguments import Arguments
from chimera_router.director import Director
from chimera_router.errors import ConfigError
from chimera_router.extproc.health import Health
from chimera_router.extproc.server import drain, server
from chimera_router.feedback.server import FeedbackServer
from chimera_router.picker import Picker
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
    stop, serving = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(picker.opened(told))
        pages = management.Management(running.director, ready=lambda: serving.is_set() and not stop.is_set())
        runner = await management.serve(pages, host=told.host, port=told.management_port)
        stack.push_async_callback(runner.cleanup)
        health = Health()
        serving_port = server(
            told.transport,
            running.director,
            health,
            host=told.host,
            port=told.grpc_port,
            certificates=told.cert_path,
        )
        stack.push_async_callback(drain, serving_port, health, told.drain)
        if told.feedback_port is not None:
            await _serve_feedback(stack, running.director, told)
        await running.start()
        await serving_port.start()
        health.say(serving=True)
        serving.set()
        _log.info("serving", grpc_port=serving_port.port, management_port=told.management_port)
        await _until(stop, running)


async def _serve_feedback(stack: AsyncExitStack, director: Director, told: Arguments) -> None:
    address = f"{told.host}:{told.feedback_port}"
    server = FeedbackServer(director, address=address, certificates=told.cert_path)
    await server.start()
    stack.push_async_callback(server.stop)


async def _until(stop: asyncio.Event, running: Picker) -> None:
    """Keep the background work going until a stop is asked for."""

    async def stopper() -> None:
        await stop.wait()
        raise _Stopped

    try:
        async with asyncio.TaskGroup() as group:
            for work in (*running.work(), stopper()):
                group.create_task(work)
    except* _Stopped:
        _log.info("stopping")


class _Stopped(Exception):  # noqa: N818 - a signal, not an error
    """Ends the task group."""


if __name__ == "__main__":
    main()
