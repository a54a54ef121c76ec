"""All endpoints gone, and back again: refusals say why, and requests flow soon after an engine answers."""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from engines import engine_process
from envoys import free_port, listening
from gateways import BODY, CHAT, Stream
from picker_processes import Picker, running

from chimera_router import wire
from chimera_router.engines.pacing import FAST, RETRY

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

MARGIN = 1.0  # seconds on a busy machine, beyond what the pace of questions explains
ROUTED = 200
GONE = (503, "rejected-no-endpoints")

Pick = Callable[[], Awaitable[tuple[int, str]]]


@asynccontextmanager
async def picks(picker: Picker) -> AsyncIterator[Pick]:
    """Yield what asks the picker where a request goes: 200, or the status and the reason of its refusal."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{picker.grpc}") as channel:

        async def pick() -> tuple[int, str]:
            stream = Stream(channel)
            await stream.headers(CHAT)
            await stream.body(BODY, end=True)
            answer = await stream.read()
            stream.call.cancel()
            if not answer.HasField("immediate_response"):
                return ROUTED, ""
            refusal = answer.immediate_response
            headers = {each.header.key: each.header.raw_value.decode() for each in refusal.headers.set_headers}
            return refusal.status.code, headers[wire.DROPPED_REASON]

        yield pick


async def seconds_until(pick: Pick, expected: tuple[int, str]) -> float:
    """Return how long it takes until a request is answered so."""
    began = time.monotonic()
    for _ in range(1000):
        if await pick() == expected:
            return time.monotonic() - began
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def backed_off(picker: Picker) -> None:
    """Wait until the picker has found the engine gone so often that it asks as rarely as it ever will."""
    for _ in range(1000):
        found = re.search(
            r'^chimera_engine_scrapes_total{result="unreachable"} (\S+)', await picker.metrics(), re.MULTILINE
        )
        if found and float(found[1]) >= 4:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def test_engine_that_dies_and_comes_back(tmp_path: Path) -> None:
    """Killed, it is out of rotation within one question; started again, it is back within one retry."""
    port = free_port()
    picker = Picker(tmp_path, f"127.0.0.1:{port}")
    async with engine_process("small", port) as engine:
        await listening(port)
        async with running(picker), picks(picker) as pick:
            await seconds_until(pick, (ROUTED, ""))

            engine.kill()
            out = await seconds_until(pick, GONE)
            await backed_off(picker)
            assert await pick() == GONE

            async with engine_process("small", port):
                await listening(port)
                back = await seconds_until(pick, (ROUTED, ""))

    sys.stdout.write(f"out of rotation after {out:.2f} s, back {back:.2f} s after it listened\n")
    assert out < FAST + MARGIN
    assert back < RETRY + MARGIN


async def test_pool_is_scaled_to_zero_and_back(tmp_path: Path) -> None:
    """A list without endpoints refuses requests; one that names an engine again serves at once."""
    port = free_port()
    picker = Picker(tmp_path, f"127.0.0.1:{port}")
    listed = (tmp_path / "endpoints.json").read_text()
    async with engine_process("small", port):
        await listening(port)
        async with running(picker), picks(picker) as pick:
            await seconds_until(pick, (ROUTED, ""))

            (tmp_path / "endpoints.json").write_text(json.dumps({"endpoints": []}))
            gone = await seconds_until(pick, GONE)

            (tmp_path / "endpoints.json").write_text(listed)
            back = await seconds_until(pick, (ROUTED, ""))

    sys.stdout.write(f"refused {gone:.2f} s after the list was empty, served {back:.2f} s after it was not\n")
    assert back < FAST + MARGIN
