"""The picker as a process: its files, its signals, its exit codes."""

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import ClientError, ClientSession
from engines import engine
from envoys import free_port
from gateways import BODY, CHAT, Stream

from chimera_router.extproc.paths import PROCESS

pytestmark = pytest.mark.anyio

COEFFICIENTS = {
    "baseStepMs": 7.2,
    "stepPerSequenceUs": 28.8,
    "prefillUsPerToken": 20.5,
    "maxNumSeqs": 256,
    "kvTokens": "1000000",
}


def config(**changes: object) -> dict[str, Any]:
    return {
        "pool": "assistants",
        "models": [{"name": "small", "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}}],
        "discovery": {"file": {"path": "endpoints.json"}},
        **changes,
    }


def write(folder: Path, document: dict[str, Any], *addresses: str) -> Path:
    endpoints = [{"name": f"e-{i}", "address": address, "model": "small"} for i, address in enumerate(addresses)]
    (folder / "endpoints.json").write_text(json.dumps({"endpoints": endpoints}))
    path = folder / "router.json"
    path.write_text(json.dumps(document))
    return path


async def start(path: Path, *, grpc_port: int = 0, management_port: int = 0) -> Process:
    ports = ["--grpc-port", str(grpc_port), "--management-port", str(management_port)]
    argv = [
        "-m",
        "chimera_router",
        "--config",
        str(path),
        "--host",
        "127.0.0.1",
        "--insecure",
        *ports,
        "--log-level",
        "debug",
    ]
    return await asyncio.create_subprocess_exec(sys.executable, *argv, stderr=PIPE)


class Picker:
    """A running picker and what its management pages say."""

    def __init__(self, process: Process, grpc_port: int, port: int, http: ClientSession) -> None:
        self.process = process
        self.grpc_port = grpc_port
        self._url = f"http://127.0.0.1:{port}"
        self._http = http

    async def status(self) -> dict[str, Any]:
        async with self._http.get(f"{self._url}/chimera/v1/status") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def page(self) -> str:
        async with self._http.get(f"{self._url}/metrics") as response:
            return await response.text()

    async def metric(self, name: str) -> float:
        match = re.search(rf"^{re.escape(name)} (\S+)", await self.page(), re.MULTILINE)
        return float(match.group(1)) if match else 0.0

    async def ready(self) -> bool:
        try:
            async with self._http.get(f"{self._url}/readyz") as response:
                return response.status == 200
        except ClientError:
            return False


@asynccontextmanager
async def picker(path: Path) -> AsyncIterator[Picker]:
    grpc_port, port = free_port(), free_port()
    process = await start(path, grpc_port=grpc_port, management_port=port)
    async with ClientSession() as http:
        running = Picker(process, grpc_port, port, http)
        try:
            await until(running.ready)
            yield running
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def until(condition: Callable[[], Any]) -> None:
    for _ in range(300):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came true")


async def test_sigterm_stops_in_order(tmp_path: Path) -> None:
    """SIGTERM ends an idle picker with exit code 0."""
    async with picker(write(tmp_path, config())) as running:
        running.process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(running.process.wait(), 10) == 0


async def test_configuration_is_swapped_while_it_runs(tmp_path: Path) -> None:
    """A new policy takes hold without a restart; a broken one changes nothing and is counted."""
    path = write(tmp_path, config())
    async with picker(path) as running:
        assert (await running.status())["policy"] == "marginal"

        path.write_text(json.dumps(config(routing={"roundRobin": {}})))
        await until(lambda: _policy(running, "round-robin"))

        path.write_text(json.dumps(config(routing={"nonsense": {}})))
        refused = 'chimera_config_reloads_total{file="config",result="refused"}'
        await until(lambda: _at_least(running, refused, 1))
        assert (await running.status())["policy"] == "round-robin"


async def _policy(running: Picker, name: str) -> bool:
    return bool((await running.status())["policy"] == name)


async def _at_least(running: Picker, metric: str, value: float) -> bool:
    return await running.metric(metric) >= value


async def test_endpoints_are_followed(tmp_path: Path) -> None:
    """An endpoint that joins the file is scraped and becomes ready."""
    async with engine("small") as address, picker(write(tmp_path, config())) as running:
        assert (await running.status())["models"][0]["endpoints"] == 0

        write(tmp_path, config(), address)

        async def joined() -> bool:
            (model,) = (await running.status())["models"]
            return bool(model["endpoints"] == model["ready"] == 1)

        await until(joined)


async def test_refused_bundle_leaves_the_heuristic_serving(tmp_path: Path) -> None:
    """With a bundle that is not one, the picker serves by running medians, and a metric counts the refusal."""
    (tmp_path / "empty").mkdir()

    async with picker(write(tmp_path, config(bundle={"path": "empty"}))) as running:
        assert (await running.status())["predictor"] == "heuristic"
        assert await running.metric("chimera_bundles_refused_total") == 1


async def test_default_bundle_is_loaded(tmp_path: Path) -> None:
    """Without a bundle of its own, a pool is predicted for by the one in the package."""
    async with picker(write(tmp_path, config())) as running:
        assert (await running.status())["predictor"] == "bundle"


@pytest.mark.usefixtures("one_loop")
async def test_prompts_and_keys_stay_out_of_logs_and_metrics(tmp_path: Path) -> None:
    """At the most talkative level, for requests good and bad, neither page nor log shows what a client sent."""
    canary = "canary-7f3a"
    bodies = [BODY.replace(b"hi", canary.encode()), BODY.replace(b"auto", canary.encode()), canary.encode()]
    headers = {**CHAT, "authorization": f"Bearer {canary}", "x-session-id": canary, "x-chimera-tenant": canary}
    async with engine("small") as address, picker(write(tmp_path, config(), address)) as running:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
            for body in bodies:
                stream = Stream(channel)
                await stream.headers(headers)
                await stream.body(body, end=True)
                await stream.read()
                stream.call.cancel()
            garbage = channel.stream_stream(PROCESS)()
            await garbage.write(b"\xff" + canary.encode())
            assert await garbage.code() is grpc.StatusCode.INVALID_ARGUMENT
        page = await running.page()
        running.process.send_signal(signal.SIGTERM)
        _, log = await running.process.communicate()

    assert "chimera_requests_total" in page
    assert b"protocol violation" in log
    assert canary not in page
    assert canary.encode() not in log


async def refused(path: Path, **ports: int) -> str:
    process = await start(path, **ports)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    return stderr.decode().strip().splitlines()[-1]


async def test_missing_configuration_is_named(tmp_path: Path) -> None:
    """Without its file the picker exits 2 and names it."""
    assert "nothing.json" in await refused(tmp_path / "nothing.json")


async def test_broken_configuration_is_named(tmp_path: Path) -> None:
    """A file that breaks a rule ends the start with the file, the place and the rule."""
    line = await refused(write(tmp_path, config(models=[])))

    assert "router.json" in line
    assert "models: at least one is needed" in line


async def test_taken_port_is_named(tmp_path: Path) -> None:
    """A port that somebody else has is named, for ext_proc and for the management pages."""
    path = write(tmp_path, config())
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert f":{port}" in await refused(path, grpc_port=port)
        assert f":{port}" in await refused(path, management_port=port)
