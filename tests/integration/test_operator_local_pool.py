"""The sample pool on this machine: real Envoy, picker and simulated engines."""

import asyncio
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from processes import alive, await_gone, await_that, children

from chimera_operator.local.documents import load_pool, sample_pool
from chimera_operator.local.pool import RunningPool, serve

pytestmark = pytest.mark.anyio

SPEED = 20.0
MODELS = {"code-qwen-7b", "llama-3-8b", "llama-3-70b"}
UP = "import typer; from chimera_cli.up import up; app = typer.Typer(); app.command()(up); app()"


@pytest.fixture(scope="module")
async def pool(anyio_backend: str) -> AsyncIterator[RunningPool]:  # noqa: ARG001 - what makes the loop
    async with serve(load_pool(sample_pool()), speed=SPEED) as running:
        yield running


async def post(
    pool: RunningPool, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], Any]:
    async with aiohttp.ClientSession() as session:
        url = f"{pool.url}/v1/chat/completions"
        async with session.post(
            url, data=io.BytesIO(body), headers={"content-type": "application/json", **(headers or {})}
        ) as got:
            return got.status, got.headers, await got.json()


def chat(model: str = "three-models") -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "What is 17 times 23?"}]}).encode()


async def test_a_question_is_answered_by_a_model_of_the_pool(pool: RunningPool) -> None:
    """A chat completion through Envoy names the model that was chosen and says it is simulated."""
    status, headers, answer = await post(pool, chat())

    assert status == 200
    assert headers["x-chimera-model"] in MODELS
    assert answer["choices"][0]["message"]["content"]
    assert "simulated" in answer["system_fingerprint"]


@pytest.mark.parametrize(("name", "model"), [("llama-3-8b", "llama-3-8b"), ("llama-3-large", "llama-3-70b")])
async def test_a_name_or_an_alias_pins_its_model(pool: RunningPool, name: str, model: str) -> None:
    """What the pool file calls a model is what clients may call it."""
    status, headers, _ = await post(pool, chat(name))

    assert (status, headers["x-chimera-model"]) == (200, model)


async def test_a_body_above_the_cap_reaches_the_pickers_own_refusal(pool: RunningPool) -> None:
    """17 MiB are not an error of Envoy's but the picker's 413, in OpenAI's shape."""
    status, _, answer = await post(pool, b"x" * (17 << 20))

    assert status == 413
    assert answer["error"]["type"] == "invalid_request_error"


async def test_a_body_below_the_cap_passes_whole(pool: RunningPool) -> None:
    """1 MiB of prompt, some 260,000 tokens, goes through Envoy, picker and engine in many pieces."""
    body = json.dumps({"model": "code-qwen-7b", "messages": [{"role": "user", "content": "word " * (1 << 18)}]})

    status, _, answer = await post(pool, body.encode())

    assert status == 200
    assert answer["usage"]["prompt_tokens"] > 100_000


async def test_a_client_cannot_choose_the_destination(pool: RunningPool) -> None:
    """A destination header from outside is dropped: nobody connects to what it names."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        address = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        names = ("x-gateway-destination-endpoint", "x-gateway-destination-endpoint-subset")

        status, headers, _ = await post(pool, chat(), dict.fromkeys(names, address))

        assert (status, headers["x-chimera-model"] in MODELS) == (200, True)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


async def test_the_picker_says_what_its_models_do(pool: RunningPool) -> None:
    """The management interface is where the running pool says, and knows every endpoint."""
    async with aiohttp.ClientSession() as session, session.get(f"{pool.management_url}/chimera/v1/status") as got:
        status = await got.json()

    assert {model["model"]: model["ready"] for model in status["models"]} == dict.fromkeys(MODELS, 1)
    assert set(pool.states.values()) == {"running"}


async def test_cancellation_leaves_no_process_and_no_file() -> None:
    """A task that serves a pool and is cancelled takes every process and its private folder with it."""
    serving: asyncio.Future[RunningPool] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with serve(load_pool(sample_pool()), speed=SPEED) as running:
            serving.set_result(running)
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    running = await serving
    folder = running.engines[0].log.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(running.pids) == 5
    assert not any(map(alive, running.pids.values()))
    assert not folder.exists()


VLLM = """#!{python}
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["serve"])
parser.add_argument("model")
parser.add_argument("--served-model-name", nargs="+")
for flag in ("host", "port", "revision", "scheduling-policy", "max-num-seqs", "shutdown-timeout"):
    parser.add_argument(f"--{{flag}}")
parser.add_argument("--disable-access-log-for-endpoints")
for kind in ("tensor", "pipeline", "data"):
    parser.add_argument(f"--{{kind}}-parallel-size", type=int)
asked = parser.parse_args()
command = [sys.executable, "-m", "chimera_bench.engine", "--port", asked.port, "--max-num-seqs", asked.max_num_seqs]
for name in asked.served_model_name:
    command += ["--served-model-name", name]
command += ["--kv-tokens=100000", "--base-step-ms=0.1", "--step-per-sequence-us=0", "--prefill-us-per-token=0"]
os.execv(sys.executable, command)
"""


async def test_real_engines_are_started_by_vllms_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vllm serve` of the path gets arguments in vLLM's spelling; a stand-in for it takes them and serves."""
    command = tmp_path / "vllm"
    command.write_text(VLLM.format(python=sys.executable))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async with serve(load_pool(sample_pool()), engine="vllm") as running:
        status, headers, _ = await post(running, chat("llama-3-large"))

    assert (status, headers["x-chimera-model"]) == (200, "llama-3-70b")


@contextmanager
def up(folder: Path, *options: str, until: str = "Ctrl-C") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `chimera up` with the sample; yield the process and what it printed up to a line that starts so.

    What a killed one leaves of its temporary files is below `folder`, and what its picker learns.
    """
    arguments = [sys.executable, "-c", UP, str(sample_pool()), "--port", "0", "--speed", str(SPEED), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    folders = {"TMPDIR": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    with subprocess.Popen(arguments, text=True, env={**os.environ, **folders}, **pipes) as process:
        try:
            yield process, _printed(process, until)
        finally:
            process.kill()


def _printed(process: subprocess.Popen[str], until: str) -> str:
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith(until):
            return printed
    pytest.fail(f"it never got there: {process.communicate()}")


def test_ctrl_c_while_engines_start_is_a_clean_end(tmp_path: Path) -> None:
    """Exit 0, no word on stderr, no process left."""
    with up(tmp_path, until="Starting") as (process, _):
        await_that(lambda: len(children(process.pid)) == 3)
        started = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert not any(map(alive, started))


def test_sigterm_while_serving_is_a_clean_end(tmp_path: Path) -> None:
    """Exit 0, no word on stderr, no process left, the logs where they were asked for."""
    with up(tmp_path, "--logs", str(tmp_path)) as (process, printed):
        started = children(process.pid)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert "simulated engines" in printed
    assert "curl http://127.0.0.1:" in printed
    assert "/chimera/v1/feedback, or over gRPC to 127.0.0.1:" in printed
    assert f"What is learned is kept in {tmp_path}/state/chimera/three-models-simulator." in printed
    assert list((tmp_path / "state" / "chimera" / "three-models-simulator").iterdir())
    assert not any(map(alive, started))
    assert {log.name for log in tmp_path.iterdir()} >= {"picker.log", "envoy.log", "llama-3-8b-0.log"}


def test_a_lost_engine_is_told_and_a_lost_picker_is_the_end(tmp_path: Path) -> None:
    """Without an engine the pool serves on, save what is pinned to it; without the picker it ends, with exit code 1."""
    with up(tmp_path) as (process, printed):
        started = children(process.pid)
        _kill(started, "llama-3-8b")
        assert process.stdout
        assert "llama-3-8b-0 killed by SIGKILL; 2 of 3 engines serve on\n" in process.stdout
        assert _refusal(printed, "llama-3-8b") == (503, "server_error")
        _kill(started, "chimera_router")
        _, errors = process.communicate()

    assert process.returncode == 1
    assert errors.startswith("picker killed by SIGKILL")
    assert not any(map(alive, started))


def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    """After SIGKILL of `chimera up` every engine, the picker and Envoy are gone."""
    with up(tmp_path) as (process, _):
        started = children(process.pid)
        assert len(started) == 5
        process.kill()
        await_gone(started)


def _refusal(printed: str, model: str) -> tuple[int, str]:
    """Return the status and the error type of a chat with a model, on the pool whose URL was printed."""
    url = next(word for word in printed.split() if word.startswith("http://"))
    headers = {"content-type": "application/json"}
    question = urllib.request.Request(f"{url}/v1/chat/completions", data=chat(model), headers=headers)  # noqa: S310 - http on loopback
    with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(question):  # noqa: S310 - http on loopback
        pytest.fail("its engine is gone")
    with refused.value as reply:
        return reply.code, json.load(reply)["error"]["type"]


def _kill(started: dict[int, str], word: str) -> None:
    (pid,) = [pid for pid, command in started.items() if word in command]
    os.kill(pid, signal.SIGKILL)
    await_that(lambda: not alive(pid))
