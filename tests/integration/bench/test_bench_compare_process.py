"""`chimera bench` as people run it, with workers, and as they stop it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from processes import alive, await_gone, await_that, children

BENCH = [sys.executable, "-m", "chimera_cli", "bench", "--pool", "mixed-agents-open", "--policy", "always-large"]
WORKER = "spawn_main"


@pytest.fixture
def long_bench() -> Iterator[subprocess.Popen[str]]:
    """A comparison whose two workers have begun and would go on for long."""
    arguments = [*BENCH, "--workers", "2", "--seeds", "8", "--workflows", "200000"]
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        await_that(lambda: len(workers(process.pid)) == 2, seconds=50)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def workers(pid: int) -> list[int]:
    return [child for child, command in children(pid).items() if WORKER in command]


def test_ctrl_c_ends_it_and_leaves_nothing_behind(long_bench: subprocess.Popen[str]) -> None:
    """It reaches the whole group, and nobody shows a traceback."""
    started = workers(long_bench.pid)

    os.killpg(long_bench.pid, signal.SIGINT)
    output, errors = long_bench.communicate(timeout=20)

    assert (long_bench.returncode, output) == (130, "")
    assert "Traceback" not in errors
    await_gone(started)


def test_a_stopped_service_leaves_nothing_behind(long_bench: subprocess.Popen[str]) -> None:
    """SIGTERM reaches the first process only."""
    started = workers(long_bench.pid)

    long_bench.terminate()
    output, errors = long_bench.communicate(timeout=20)

    assert (long_bench.returncode, output) == (143, "")
    assert "Traceback" not in errors
    await_gone(started)


def test_workers_do_not_outlive_what_was_killed(long_bench: subprocess.Popen[str]) -> None:
    """They look after their parent, once they have begun: after seconds of imports."""
    started = workers(long_bench.pid)

    long_bench.kill()

    await_that(lambda: not any(map(alive, started)), seconds=30)


def test_a_worker_that_is_killed_is_one_line(long_bench: subprocess.Popen[str]) -> None:
    """Nobody waits for its records."""
    os.kill(workers(long_bench.pid)[0], signal.SIGKILL)

    output, errors = long_bench.communicate(timeout=20)

    assert (long_bench.returncode, output) == (1, "")
    assert errors.strip().splitlines()[-1].startswith("a worker process of the comparison was ended from outside")
