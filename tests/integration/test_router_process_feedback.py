"""What the picker process has learned outlives it; feedback has its own port."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientError, ClientSession
from engines import engine
from envoys import free_port
from gateways import BODY, CHAT, Stream

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_proto.feedback.v1alpha1 import feedback_pb2_grpc as services
from chimera_router.prediction import state
from chimera_router.prediction.correction import Corrections

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

COEFFICIENTS = {
    "baseStepMs": 7,
    "stepPerSequenceUs": 28,
    "prefillUsPerToken": 20,
    "maxNumSeqs": 256,
    "kvTokens": "1000",
}
HEADERS = {**CHAT, "x-chimera-workflow-id": "w-1", "x-request-id": "r-1"}


class Picker:
    """A running picker with state and feedback on, and its ports."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.grpc, self.management, self.feedback = free_port(), free_port(), free_port()
        (folder / "endpoints.json").write_text(
            json.dumps({"endpoints": [{"name": "e", "address": address, "model": "small"}]})
        )
        config = {
            "pool": "assistants",
            "models": [{"name": "small", "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}}],
            "discovery": {"file": {"path": "endpoints.json"}},
        }
        (folder / "router.json").write_text(json.dumps(config))

    async def start(self) -> Process:
        ports = {"grpc-port": self.grpc, "management-port": self.management, "feedback-port": self.feedback}
        options = [f"--{name}={port}" for name, port in ports.items()]
        argv = ["--config", self.folder / "router.json", "--state-path", self.folder / "state", "--insecure", *options]
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chimera_router", *map(str, argv), "--host=127.0.0.1", stderr=PIPE
        )

    async def ready(self) -> bool:
        try:
            async with ClientSession() as http, http.get(f"http://127.0.0.1:{self.management}/readyz") as response:
                return response.status == 200
        except ClientError:
            return False

    async def metrics(self) -> str:
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{self.management}/metrics") as response:
            return await response.text()

    async def ask(self) -> None:
        """Send one request through ext_proc and let its answer be of 1,000 tokens."""
        usage = b'{"usage":{"prompt_tokens":3,"completion_tokens":1000}}'
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc}") as channel:
            stream = Stream(channel)
            await stream.headers(HEADERS)
            await stream.body(BODY, end=True)
            await stream.read(), await stream.read()
            await stream.headers({":status": "200", "content-type": "application/json"}, response=True)
            await stream.body(usage, end=True, response=True)
            await stream.read(), await stream.read()

    async def report(self) -> proto.ReportResponse:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.feedback}") as channel:
            stub = services.FeedbackStub(channel)
            response: proto.ReportResponse = await stub.Report(proto.ReportRequest(request_id="r-1", success=0.0))
            return response


@asynccontextmanager
async def running(picker: Picker) -> AsyncIterator[Process]:
    process = await picker.start()
    try:
        for _ in range(300):
            if await picker.ready():
                break
            await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stopped(process: Process) -> str:
    process.send_signal(signal.SIGTERM)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    return stderr.decode()


def gauges(page: str) -> list[str]:
    return [line for line in page.splitlines() if "_correction_" in line and not line.startswith("#")]


async def test_what_was_learned_outlives_the_process(tmp_path: Path) -> None:
    """A long answer and a bad judgement move both gauges; the next process starts from there."""
    async with engine("small") as address:
        picker = Picker(tmp_path, address)
        async with running(picker) as process:
            await picker.ask()
            assert (await picker.report()).model == "small"
            before = gauges(await picker.metrics())
            await stopped(process)
        async with running(picker):
            after = gauges(await picker.metrics())

    assert after == before
    assert [line.partition(" ")[0] for line in after] == [
        'chimera_length_correction_factor{model="small"}',
        'chimera_confidence_correction_logits{model="small"}',
    ]
    factor, logits = (float(line.partition(" ")[2]) for line in after)
    assert factor > 1.0
    assert logits < 0.0


async def test_a_state_that_is_none_is_named_and_ignored(tmp_path: Path) -> None:
    """The picker serves, says which file it refused, and writes a good one when it stops."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / state.FILE).write_text("canary")
    async with engine("small") as address, running(Picker(tmp_path, address)) as process:
        said = await stopped(process)

    assert "state refused" in said
    assert state.FILE in said
    assert "canary" not in said
    assert state.load(tmp_path / "state").by_model == Corrections().by_model
