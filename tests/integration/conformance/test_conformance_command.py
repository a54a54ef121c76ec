"""`python -m chimera_conformance` as those run it who keep a picker of their own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from envoys import free_port
from processes import await_gone, await_that, children

from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.through import GATEWAY_CASES

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests/support/wrong_pickers.py"
CORRECT = f"{{python}} {PROGRAM} {{port}} {{endpoints}}"
QUICK = ["--plaintext", "--patience", "1", "--case", "destination.*"]


def kit(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the kit to its end."""
    command = [sys.executable, "-m", "chimera_conformance", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the kit leaves behind where it could not start something."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def running() -> Iterator[str]:
    """Run a correct picker for two endpoints, and yield its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, PROGRAM, str(port), "127.0.0.1:8000,127.0.0.1:8001"])
    await_that(lambda: _accepts(port))
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_cases_are_listed() -> None:
    """Every case is told with its level, its rule and where that is written, without any picker."""
    listed = kit("--list")

    assert listed.returncode == 0
    assert all(case.name in listed.stdout for case in (*STREAM_CASES, *GATEWAY_CASES))
    assert "GIE proposal 004" in listed.stdout


def test_picker_is_started_examined_and_stopped(tmp_path: Path) -> None:
    """A picker that a command starts is held against the cases, directly and through Envoy, and is gone afterwards."""
    before = set(children(os.getpid()))

    found = kit(
        "--picker", CORRECT, "--envoy", "--profile", "core", "--profile", "empty",
        *["--case", "destination.*", "--case", "empty.*", "--case", "envoy.subset*"],
        *["--plaintext", "--json", str(tmp_path / "report.json"), "--markdown", str(tmp_path / "report.md")],
    )  # fmt: skip

    assert (found.returncode, found.stderr) == (0, "")
    (report,) = json.loads((tmp_path / "report.json").read_text())
    verdicts = {case["case"]: case["verdict"] for case in report["cases"]}
    assert set(verdicts.values()) == {"passed"}
    assert {"destination.metadata-is-set", "empty.post-is-503", "envoy.subset-binds"} <= set(verdicts)
    assert "| destination.metadata-is-set | MUST | passed |" in (tmp_path / "report.md").read_text()
    await_gone(set(children(os.getpid())) - before)


def test_running_picker_is_examined(running: str) -> None:
    """A picker that runs already is named by its address; what it does is a table with a line for each case."""
    found = kit("--address", running, "--endpoints", "127.0.0.1:8000,127.0.0.1:8001", *QUICK)

    assert found.returncode == 0
    assert "destination.metadata-is-set" in found.stdout
    assert "0 failed" in found.stdout


def test_broken_must_fails_the_run() -> None:
    """A picker that breaks a MUST exits with 1, and the report says which rule, what came and where it is written."""
    found = kit("--picker", f"{CORRECT} sets_no_metadata", *QUICK)

    assert found.returncode == 1
    row = " ".join(found.stdout.split())
    assert "destination.metadata-is-set MUST failed" in row
    assert "No destination in the dynamic metadata" in row


def test_broken_should_fails_a_strict_run() -> None:
    """A picker that breaks a SHOULD passes, unless it was asked to keep those too."""
    command = f"{CORRECT} leaves_the_action_open"

    assert kit("--picker", command, *QUICK).returncode == 0
    assert kit("--picker", command, *QUICK, "--strict").returncode == 1


def test_several_pickers_are_examined_one_after_another(tmp_path: Path) -> None:
    """Each command line given is a report of its own, and one that breaks a MUST fails the run."""
    commands = [CORRECT, f"{CORRECT} appends"]

    found = kit(
        *(part for command in commands for part in ("--picker", command)), *QUICK, "--json", str(tmp_path / "r")
    )

    reports = json.loads((tmp_path / "r").read_text())
    assert found.returncode == 1
    assert [report["picker"] for report in reports] == commands
    failed = [{case["case"] for case in report["cases"] if case["verdict"] == "failed"} for report in reports]
    assert failed == [set(), {"destination.header-is-not-appended"}]


def test_log_of_a_picker_that_does_not_start_is_kept() -> None:
    """What the picker said stays in a file that the one line names."""
    refused = kit("--picker", "{python} -c \"print('no such model')\"", "--plaintext")

    assert refused.returncode == 2
    log = Path(refused.stderr.strip().rpartition(": ")[2])
    assert log.read_text() == "no such model\n"


def test_picker_of_another_pool_is_refused(running: str) -> None:
    """Where an endpoint is never chosen, the picker was not set up for the pool that the kit was told of."""
    refused = kit("--address", running, "--endpoints", "127.0.0.1:8000,127.0.0.1:8002", *QUICK)

    assert refused.returncode == 2
    assert "some endpoint is not chosen" in refused.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param((), "--address", id="no picker"),
        pytest.param(("--address", "127.0.0.1:1", "--picker", "x"), "--address", id="two"),
        pytest.param(("--address", "127.0.0.1:1"), "--endpoints", id="no endpoints"),
        pytest.param(("--address", "127.0.0.1:1", "--endpoints", "::1:80"), "ip:port", id="no endpoint"),
        pytest.param(("--address", "127.0.0.1:1", "--endpoints", "127.0.0.1:2"), "nobody listens", id="nobody"),
        pytest.param(("--picker", "x", "--case", "nothing.*"), "no case is left", id="no case"),
        pytest.param(("--picker", "no-such-program"), "no-such-program", id="no program"),
        pytest.param(("--picker", "{python} -c pass"), "ended with 0", id="ends at once"),
        pytest.param(
            ("--address", "127.0.0.1:1", "--endpoints", "192.0.2.1:80", "--serve"), "cannot be served", id="not here"
        ),
    ],
)
def test_what_cannot_be_examined_is_said(options: tuple[str, ...], sentence: str) -> None:
    """What is missing is one line, and the exit code is that of wrong usage."""
    refused = kit(*options, "--plaintext")

    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
