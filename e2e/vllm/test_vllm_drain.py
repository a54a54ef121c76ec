"""What becomes of vLLM's requests when a pod is deleted: the arguments are those that the operator renders."""

import asyncio
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from processes import await_that
from real_engines import CHAT, START_SECONDS, chat, events

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.engine import Serving, hub_or_bucket, vllm_arguments
from chimera_operator.rendering.profiles.vllm_0_32 import PROFILE
from chimera_vllm.site import Site

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

DRAIN_SECONDS = 120
TOKENS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One vLLM of its own."""

    url: str
    process: "subprocess.Popen[bytes]"


@pytest.fixture
def engine(vllm: Site, pool: HeterogeneousModelPool) -> Iterator[Engine]:
    """Serve one model as a pod's container does."""
    model = pool.spec.models[0]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serving = Serving(host="127.0.0.1", port=port, drain_seconds=DRAIN_SECONDS)
    arguments = vllm_arguments(model, serving, profile=PROFILE, weights=hub_or_bucket(model, path=""))
    log = Path("out/e2e/vllm/drain.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(vllm.program), *PROFILE.command[1:], *arguments],
            env={**vllm.variables, **PROFILE.env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        await_that(lambda: process.poll() is not None or _healthy(url), seconds=START_SECONDS)
        assert process.poll() is None, log.read_text()
        yield Engine(url=url, process=process)
    finally:
        with suppress(ProcessLookupError):  # its other processes too, where it did not end by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def test_a_stream_outlives_sigterm(engine: Engine, http: aiohttp.ClientSession) -> None:
    """SIGTERM in its middle: every token and the counts come, health stays, and the engine ends by itself with 0."""
    body = chat("tiny", tokens=TOKENS, stream=True, stream_options={"include_usage": True})
    async with http.post(f"{engine.url}{CHAT}", json=body) as response:
        begun = await response.content.readuntil(b"\n\n")
        engine.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)  # for the signal to be told to all of its processes
        async with http.get(f"{engine.url}/health") as health:
            assert health.status == 200
        found = events((begun + await response.read()).decode())

    assert found[-1]["usage"]["completion_tokens"] == TOKENS
    assert {choice["finish_reason"] for each in found for choice in each["choices"]} == {None, "length"}
    assert await asyncio.to_thread(engine.process.wait, DRAIN_SECONDS) == 0


def _healthy(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 - this machine's own
        return True
    return False
