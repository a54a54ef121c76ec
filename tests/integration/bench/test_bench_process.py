"""The simulated engine as a process."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import await_that

ENGINE = [sys.executable, "-m", "chimera_bench.engine"]
STEPS = ["--base-step-ms", "1", "--step-per-sequence-us", "0", "--prefill-us-per-token", "0"]
SIZES = ["--max-num-seqs", "4", "--kv-tokens", "100000"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run an engine until it is healthy; it is gone afterwards."""
    port = free_port()
    process = subprocess.Popen([*ENGINE, "--port", str(port), *STEPS, *SIZES, *arguments], stderr=subprocess.PIPE)
    try:
        await_that(lambda: healthy(port), seconds=30)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def ask(port: int, body: dict[str, object]) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/v1/completions"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=30) as response:
        answer: dict[str, object] = json.load(response)
        return answer


def test_an_engine_serves_all_its_names_and_ends_when_told() -> None:
    """SIGTERM ends it with 0, also while it generates."""
    with running(
        "--served-model-name", "m", "--served-model-name", "alias", "--scheduling-policy", "priority"
    ) as engine:
        process, port = engine
        assert [ask(port, {"model": name, "prompt": "x", "max_tokens": 2})["model"] for name in ("m", "alias")] == [
            "m",
            "alias",
        ]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 42\r\n\r\n")
            client.sendall(b'{"model":"m","prompt":"xyz","stream":true}')
            assert client.recv(100)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(("seconds", "finished"), [("20", True), ("0.1", False)])
def test_requests_in_flight_get_as_long_as_it_is_told(seconds: str, *, finished: bool) -> None:
    """An answer of some seconds ends within twenty, and is cut off after a tenth, as with vLLM's flag."""
    slow = ("--served-model-name", "m", "--base-step-ms", "50", "--shutdown-timeout", seconds)
    with running(*slow) as (process, port):
        body = b'{"model":"m","prompt":"x","max_tokens":60,"stream":true}'
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
            client.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            answer = client.recv(100)
            process.send_signal(signal.SIGTERM)
            while piece := client.recv(1 << 16):
                answer += piece
        assert process.wait(timeout=10) == 0

    assert (b"[DONE]" in answer) == finished


def test_a_busy_port_is_named() -> None:
    """One line that says which, and exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = [*ENGINE, "--port", str(port), "--served-model-name", "m", *STEPS, *SIZES]
        ended = subprocess.run(arguments, capture_output=True, timeout=50, check=False, text=True)

    assert (ended.returncode, ended.stderr) == (2, f"chimera_bench.engine: port {port} on 127.0.0.1 is in use\n")


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ([], "--port"),
        (["--port", "x"], "--port"),
        (["--port", "1", "--base-step-ms", "0"], "above 0"),
        (["--port", "1", "--max-num-seqs", "0"], "1 or more"),
        (["--port", "1", "--prefill-us-per-token", "-1"], "0 or more"),
        (["--port", "1", "--scheduling-policy", "random"], "--scheduling-policy"),
    ],
    ids=["no-port", "port", "step", "slots", "prefill", "policy"],
)
def test_a_bad_flag_is_named(arguments: list[str], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the rule, and exit code 2."""
    from chimera_bench.engine.__main__ import parse_arguments  # noqa: PLC0415 - a program, imported where it is tried

    with pytest.raises(SystemExit) as exit_:
        parse_arguments(arguments)

    assert exit_.value.code == 2
    assert rule in capsys.readouterr().err


def test_recordings_may_come_from_any_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That folder and no other is read, and what it lacks is named."""
    from chimera_bench.engine.__main__ import main  # noqa: PLC0415 - a program, imported where it is tried

    assert main(["--port", "1", "--served-model-name", "m", *STEPS, *SIZES, "--data", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
