"""`chimera up` before and while it serves: what it refuses, and what it shows."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import typer
import yaml
from aiohttp import web
from pool_documents import model_document, pool_document
from rich.console import Console
from typer.testing import CliRunner

from chimera_cli import up
from chimera_operator.local.documents import sample_pool
from chimera_operator.local.pool import RunningPool

STATUS = {
    "pool": "pool",
    "policy": "slack",
    "predictor": "bundle",
    "held": {"5": 1, "0": 2},
    "workflows": {"open": 2, "stages": 9, "later_stages": 7, "kept": 6, "recognised": 5},
    "models": [
        {
            "model": "small",
            "endpoints": 2,
            "ready": 1,
            "running": 3,
            "waiting": 4,
            "in_flight": 5,
            "in_flight_tokens": 678,
            "requests": 90,
        }
    ],
}

app = typer.Typer()
app.command()(up.up)


def refused(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (yaml.safe_dump(pool_document(colour="blue")), "spec.colour: unknown key"),
        (
            yaml.safe_dump(pool_document() | {"spec": {"modelss": []}}),
            "spec.modelss: unknown key, did you mean models?",
        ),
        (
            yaml.safe_dump(pool_document(model_document("small"), model_document("small"))),
            'spec.models[1].name: must be unique, "small" is taken',
        ),
        (yaml.safe_dump(pool_document() | {"spec": {"models": []}}), "spec.models: must hold at least 1"),
        (yaml.safe_dump(pool_document() | {"kind": "Pod"}), "kind: must be 'HeterogeneousModelPool'"),
        ("spec: [", "line 1, column 8: expected the node content, but found '<stream end>'"),
    ],
    ids=["unknown key", "mistyped key", "duplicate names", "no models", "wrong kind", "bad YAML"],
)
def test_a_bad_pool_file_is_one_line_and_exit_2(tmp_path: Path, text: str, line: str) -> None:
    """The line names the file, the path in the document and the rule."""
    file = tmp_path / "a-pool-file-in-a-folder-of-a-name-so-long-that-a-narrow-terminal-would-break-it.yaml"
    file.write_text(text)

    assert refused(str(file)) == (2, f"{file}: {line}\n")


def test_a_missing_pool_file_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The line names the file."""
    file = tmp_path / "none.yaml"

    assert refused(str(file)) == (2, f"{file}: No such file or directory\n")


def test_a_busy_port_is_named_and_exit_2() -> None:
    """Nothing is started; the line says which port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert refused(str(sample_pool()), "--port", str(port)) == (2, f"port {port} is in use\n")


def test_vllm_needs_to_know_the_weights(tmp_path: Path) -> None:
    """A rule that only real engines have is told like the others."""
    file = tmp_path / "pool.yaml"
    file.write_text(yaml.safe_dump(pool_document()))

    line = f"{file}: spec.models[0].source: is required for vLLM\n"
    assert refused(str(file), "--engine", "vllm", "--port", "0") == (2, line)


def test_real_engines_have_one_speed() -> None:
    """A speed-up of real engines is refused."""
    code, errors = refused(str(sample_pool()), "--engine", "vllm", "--speed", "2", "--port", "0")

    assert (code, errors) == (2, "a speed is for simulated engines only\n")


class Screen(io.StringIO):
    """A screen that tells when the last words of a status are on it."""

    def __init__(self) -> None:
        super().__init__()
        self.complete = asyncio.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if "3 held" in self.getvalue():
            self.complete.set()
        return written


@asynccontextmanager
async def picker() -> AsyncIterator[RunningPool]:
    """Serve `STATUS` where a picker would."""

    async def status(_: web.Request) -> web.Response:
        return web.json_response(STATUS)

    pages = web.Application()
    pages.add_routes([web.get("/chimera/v1/status", status)])
    runner = web.AppRunner(pages)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield RunningPool(url="", management_url=f"http://{host}:{port}", feedback_address="", engines=(), front=())
    await runner.cleanup()


@pytest.mark.anyio
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "file"])
async def test_the_models_are_shown(terminal: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A live table on a terminal, lines elsewhere: readiness, load, and what became of workflows."""
    screen = Screen()
    async with picker() as running:
        console = Console(file=screen, force_terminal=terminal, color_system=None, width=160)
        watching = asyncio.create_task(up._watch(running, console, title="pool"))
        await screen.complete.wait()
        watching.cancel()
        await asyncio.wait({watching})

    shown = screen.getvalue()
    for words in (
        "small",
        "1/2",
        "678",
        "90",
        "7 later stages",
        "5 recognised without a header",
        "6 kept on their model",
    ):
        assert words in shown
