"""`chimera demo` as people run it: the real Envoy, the real picker, simulated engines."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from processes import await_gone, await_that
from typer.testing import CliRunner

from chimera_cli.demo import demo

DEMO = [sys.executable, "-m", "chimera_cli", "demo", "--seed", "1"]
FAST = ["--workflows", "12", "--speed", "40", "--load", "0.5"]


def descendants(pid: int) -> list[int]:
    """Return the ids of a process' children and of theirs."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def long_demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that is replaying and would go on for long."""
    arguments = [*DEMO, "--workflows", "200", "--speed", "0.5", "--policies", "chimera"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            await_that(lambda: replaying(process.pid), seconds=50)
            yield process
        finally:
            process.kill()
            process.communicate()


def replaying(pid: int) -> bool:
    """Return whether the whole stack runs: three engines, picker and Envoy, and a connection between them."""
    names = [name_of(child) for child in descendants(pid)]
    return sum("chimera_bench.engine" in name for name in names) == 3 and any("envoy" in name for name in names)


def test_it_compares_policies_on_the_same_arrivals(tmp_path: Path) -> None:
    """Figures as JSON, a plot where asked; and of an engine killed on the way nothing is lost or stays in flight."""
    plot = tmp_path / "frontier.png"
    arguments = [*DEMO, *FAST, "--policies", "chimera", "--kill-engine", "--json", "--plot", str(plot)]
    ended = subprocess.run(arguments, capture_output=True, timeout=55, check=False, text=True)

    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    (chimera,) = figures["policies"]
    assert figures["simulated"]
    assert figures["routing"]["policy"] == "Marginal"
    assert {"price", "agingRate"} <= figures["routing"].keys()
    assert (chimera["policy"], chimera["workflows"], chimera["given_up"]) == ("chimera", 12, 0)
    assert "the picker counts 0 requests in flight now" in ended.stderr
    assert plot.stat().st_size > 10_000


def test_ctrl_c_leaves_no_process(long_demo: subprocess.Popen[str]) -> None:
    """It ends soon, with the exit code that shells give to the signal, and so do all that it started."""
    children = descendants(long_demo.pid)
    long_demo.send_signal(signal.SIGINT)

    assert long_demo.wait(timeout=20) == 128 + signal.SIGINT
    await_gone(children)


def test_the_death_of_a_child_ends_the_demo(long_demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """With the name of the child and exit code 1, and no process is left."""
    children = descendants(long_demo.pid)
    os.kill(next(pid for pid in children if "chimera_bench.engine" in name_of(pid)), signal.SIGKILL)

    assert long_demo.wait(timeout=20) == 1
    await_gone(children)
    assert "code-qwen-7b-0" in (tmp_path / "log").read_text() or "llama-3" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--kill-engine", "--policies", "round-robin"], "--policies chimera"),
        (["--plot", "/nonexistent/plot.png"], "/nonexistent"),
        (["--policies", "magic"], "magic"),
        (["--workflows", "0"], "workflows"),
    ],
    ids=["nothing-to-kill", "no-folder", "unknown-policy", "no-workflows"],
)
def test_a_bad_option_is_refused_at_once(arguments: list[str], rule: str) -> None:
    """Before anything is started, with exit code 2 and a sentence that names it."""
    application = typer.Typer()
    application.command()(demo)
    ended = CliRunner().invoke(application, arguments, env={"COLUMNS": "200", "NO_COLOR": "1"})

    assert ended.exit_code == 2
    assert rule in ended.stderr
