"""The bench of pickers on real processes: a short run of it, its parts, and what it says when it cannot run."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession
from envoys import free_port

from chimera_bench.load import __main__ as command
from chimera_bench.load import engine, processes
from chimera_bench.load.cases import CASES, Case, Closed, Open
from chimera_bench.load.client import BROKEN, Load, clock
from chimera_bench.load.engine import Engine
from chimera_bench.load.prompts import Prompts
from chimera_bench.load.waiting import until
from chimera_operator.local.errors import LocalError
from chimera_router.engines.belief import Witness
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Outcome

STREAM = Case(name="stream", body=1000, chunks=5, gap=0.02)
ENDLESS = Case(name="endless", body=1000, chunks=2, gap=600.0)


@pytest.fixture
async def serving() -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        (served,) = await engine.serve(stack, [free_port()])
        yield served


def test_a_short_run_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Floor and picker are measured behind the real Envoy, shown, drawn, and written down."""
    figures, picture = tmp_path / "bench.json", tmp_path / "bench.png"

    command.main(
        [
            *("--pickers", "floor,native-observe", "--cases", "json1k,sse100", "--modes", "c4,r20"),
            *("--secs", "0.5", "--rounds", "1", "--held", "20", "--idle", "0"),
            *("--json", str(figures), "--plot", str(picture)),
        ]
    )

    document = json.loads(figures.read_text())
    measured = {(each["picker"], each["case"], each["mode"]): each for each in document["measurements"]}
    assert len(measured) == 8
    assert all(each["requests"] > 0 and each["failed"] == 0 for each in measured.values())
    assert all((each["picker_us"] > 0) == (each["picker"] != "floor") for each in measured.values())
    assert [each["streams"] for each in document["held"]] == [20]
    assert picture.stat().st_size > 0
    assert "json1k, c4" in capsys.readouterr().out


def test_what_cannot_be_measured_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as ended:
        command.main(["--pickers", "nonsense"])

    assert ended.value.code == 2
    assert "picker nonsense: must be floor" in capsys.readouterr().err


@pytest.mark.anyio
async def test_closed_loops_keep_their_connections_busy(serving: Engine) -> None:
    """Each sends its next request when it has its answer."""
    samples = await Load(serving.port, Prompts(CASES["json1k"]).next).run(Closed(3), 0.2)

    assert len(samples) == serving.served > 3
    assert all(sample.good and sample.engine == str(serving.port) for sample in samples)


@pytest.mark.anyio
async def test_open_loops_send_when_it_is_time(serving: Engine) -> None:
    """Whatever becomes of the answers: all of a stream's time passes, and others are sent meanwhile."""
    samples = await Load(serving.port, Prompts(STREAM).next).run(Open(100.0), 0.5)

    assert 25 < len(samples) < 90
    assert all(sample.good for sample in samples)
    assert all(sample.first is not None and sample.first < sample.ended for sample in samples)
    assert min(sample.seconds for sample in samples) >= 4 * STREAM.gap


@pytest.mark.anyio
async def test_a_request_that_nobody_takes_is_broken() -> None:
    """It counts, as its client would count it."""
    load = Load(free_port(), Prompts(CASES["json1k"]).next)
    load.ask(clock())
    await load.drain()

    assert [sample.status for sample in load.samples] == [BROKEN]


@pytest.mark.anyio
async def test_answers_that_never_end_are_broken_off(serving: Engine) -> None:
    """Those that hold a stream open are counted while they do, and the engine forgets them when they are gone."""
    load = Load(serving.port, Prompts(ENDLESS).next)
    for _ in range(3):
        load.ask(clock())
    await until(lambda: load.answering == serving.running == 3, what="all are answered", seconds=5)

    await load.drain(0.0)
    await until(lambda: serving.running == 0, what="none is there", seconds=5)

    assert [sample.status for sample in load.samples] == [BROKEN] * 3
    assert load.answering == 0


@pytest.mark.anyio
async def test_engines_show_metrics_that_pickers_believe(serving: Engine) -> None:
    """Under vLLM's names, with the requests that run; health is answered too."""
    witness, load = Witness(VLLM), Load(serving.port, Prompts(ENDLESS).next)
    async with ClientSession(f"http://127.0.0.1:{serving.port}") as http:
        idle, _ = witness.hear(await (await http.get("/metrics")).read(), 0.0)
        load.ask(clock())
        await until(lambda: serving.running == 1, what="it runs", seconds=5)
        busy, metrics = witness.hear(await (await http.get("/metrics")).read(), 1.0)
        healthy = (await http.get("/health")).status
    await load.drain(0.0)

    assert (idle, busy, metrics and metrics.running, healthy) == (Outcome.BELIEVED, Outcome.BELIEVED, 1, 200)


@pytest.mark.anyio
async def test_waiting_has_an_end() -> None:
    """And says what did not come true."""
    with pytest.raises(LocalError, match="not within 0 s: pigs fly"):
        await until(lambda: False, what="pigs fly", seconds=0)


@pytest.mark.anyio
async def test_processes_are_accounted_for_with_their_children() -> None:
    """Processor time in fine steps, and memory, also of what a process has started itself."""
    spin = "import sys, time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nsys.stdin.read()"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, stdin=asyncio.subprocess.PIPE)

    await until(lambda: processes.processor_seconds(process.pid) > 0.2, what="both are counted", seconds=20)
    pids = list(processes.tree(process.pid))
    bytes_of_both = processes.resident_bytes(process.pid)
    await process.communicate(b"")

    assert len(pids) == 2
    assert bytes_of_both > 5_000_000
    assert processes.processor_seconds(process.pid) == processes.resident_bytes(process.pid) == 0


def test_the_machine_is_busy_at_times() -> None:
    """All processors together have been so for longer than this process."""
    assert processes.busy_seconds() > sum(os.times()[:2])
