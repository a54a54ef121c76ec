"""Child processes of every habit: all come up or none stays, and none is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in
from processes import alive, await_gone, await_that

from chimera_operator.local import launch
from chimera_operator.local.errors import NotReady
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.local.process import Child
from chimera_operator.local.supervisor import stop, supervise

pytestmark = pytest.mark.anyio


def command(name: str, *habits: str, program: str = sys.executable) -> Command:
    (port,) = free_ports(1)
    argv = (program, stand_in.__file__, str(port), *habits)
    return Command(name=name, argv=argv, ready_url=f"http://127.0.0.1:{port}/")


async def test_all_serve_inside_the_block_and_none_runs_after_it(tmp_path: Path) -> None:
    """The block begins when every child is ready and ends when none is left."""
    async with supervise([command("a"), command("b")], logs=tmp_path, ready_seconds=20) as children:
        pids = [child.pid for child in children]
        assert [child.state for child in children] == ["running", "running"]
        assert all(map(alive, pids))

    assert not any(map(alive, pids))
    assert [child.state for child in children] == ["killed by SIGTERM", "killed by SIGTERM"]


async def test_an_error_in_the_block_leaves_nothing(tmp_path: Path) -> None:
    """However the block ends, the children end with it."""
    with pytest.raises(KeyError):
        async with supervise([command("a")], logs=tmp_path, ready_seconds=20) as children:
            raise KeyError

    assert not alive(children[0].pid)


async def test_cancellation_leaves_nothing(tmp_path: Path) -> None:
    """A cancelled task stops its children before it ends."""
    serving: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with supervise([command("a"), command("b")], logs=tmp_path, ready_seconds=20) as children:
            serving.set_result([child.pid for child in children])
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    pids = await serving
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not any(map(alive, pids))


async def test_cancellation_before_all_are_ready_leaves_nothing(tmp_path: Path) -> None:
    """Who gives up while the children come up has none left either."""

    async def work() -> None:
        async with supervise([command("a", "family", "busy")], logs=tmp_path, ready_seconds=20):
            pytest.fail("it only answers 503")

    task = asyncio.create_task(work())
    log = tmp_path / "a.log"
    await asyncio.to_thread(await_that, lambda: log.exists() and log.read_text().endswith("\n"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await_gone([int(log.read_text().splitlines()[0])])


async def test_a_child_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    """The error says which one, how it ended and what it said last; the others are stopped."""
    well, broken = command("well"), command("broken", "broken")

    with pytest.raises(NotReady, match=r"^broken ended with code 1: line one \| the last word$"):
        async with supervise([well, broken], logs=tmp_path, ready_seconds=20):
            pytest.fail("one child is broken")


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """The error carries the system's words for it."""
    with pytest.raises(NotReady, match=r"^a ended with code 1: /no/such: No such file or directory$"):
        async with supervise([command("a", program="/no/such")], logs=tmp_path, ready_seconds=20):
            pytest.fail("there is no such program")


async def test_a_child_that_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    """Answering is not enough: readiness is a 200."""
    with pytest.raises(NotReady, match=r"^a was not ready after 0.5 s"):
        async with supervise([command("a", "busy")], logs=tmp_path, ready_seconds=0.5):
            pytest.fail("it only answers 503")


async def test_what_does_not_end_is_killed(tmp_path: Path) -> None:
    """After the grace a child that ignores SIGTERM is gone all the same."""
    async with supervise([command("a", "stubborn")], logs=tmp_path, ready_seconds=20) as children:
        await stop(children, grace_seconds=0.1)

        assert children[0].state == "killed by SIGKILL"


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """A stubborn grandchild does not survive its group."""
    async with supervise([command("a", "family")], logs=tmp_path, ready_seconds=20):
        grandchild = int((tmp_path / "a.log").read_text().split()[0])
        assert alive(grandchild)

    await_gone([grandchild])


async def test_the_end_of_a_child_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Whoever waits for a child learns how it ended, by signal or by code."""
    async with supervise([command("a")], logs=tmp_path, ready_seconds=20) as (child,):
        os.kill(child.pid, signal.SIGKILL)

        assert await child.ended() == "a killed by SIGKILL"


async def test_the_log_shows_the_last_lines_only(tmp_path: Path) -> None:
    """A long log is cut to what fits a line."""
    child = await Child.start(command("a", "broken"), logs=tmp_path)
    await child.ended()
    child.log.write_text("\n".join(f"line {n}" for n in range(100)))

    assert child.tail() == "line 97 | line 98 | line 99"


def test_who_has_lost_its_parent_starts_nothing() -> None:
    """A program whose parent died before the wish to die with it could be made is not started."""
    arguments = [sys.executable, launch.__file__, "1", "/bin/echo", "started"]

    result = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_program_is_started_with_its_own_arguments() -> None:
    """The launcher turns into the program and leaves no trace of itself."""
    arguments = [sys.executable, launch.__file__, str(os.getpid()), "/bin/echo", "-n", "a  b"]

    result = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "a  b", "")


PARENT = """
import asyncio, pathlib, sys
from chimera_operator.local.plan import Command
from chimera_operator.local.supervisor import supervise

async def main():
    port, program, logs = sys.argv[1:]
    command = Command(name="a", argv=(sys.executable, program, port, "stubborn"), ready_url=f"http://127.0.0.1:{port}/")
    async with supervise([command], logs=pathlib.Path(logs), ready_seconds=20) as children:
        print(children[0].pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can bind a child to its parent's life")
def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    """SIGKILL gives the parent no chance to clean up; the system does it."""
    (port,) = free_ports(1)
    arguments = [sys.executable, "-c", PARENT, str(port), stand_in.__file__, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()

    await_gone([child])
