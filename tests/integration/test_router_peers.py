"""The picker process with its own transport, before programs in Go: a tester of HTTP/2, and a gateway on grpc-go."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import built_programs
import pytest
from engines import engine
from picker_processes import Picker, running, until

from chimera_cluster.programs.catalog import PEERS, PROGRAMS

pytestmark = pytest.mark.anyio

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.fixture(autouse=True, scope="module")
def peers() -> None:
    """Need the programs."""
    built_programs.require(PEERS, "peers")


@pytest.fixture(params=["plain", "tls"])
async def picker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Picker]:
    async with engine("small") as address:
        made = Picker(tmp_path, address, "--insecure" if request.param == "plain" else "--log-level=info")
        async with running(made):
            yield made


async def said(name: str, *arguments: str) -> tuple[str, str, int | None]:
    """Run a program and return what it printed, its complaints and its exit code."""
    program = PROGRAMS.folder(name) / name
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=PIPE, stderr=PIPE)
    out, errors = await asyncio.wait_for(process.communicate(), 50)
    return out.decode(), errors.decode(), process.returncode


def tls(picker: Picker, *flags: str) -> tuple[str, ...]:
    return () if "--insecure" in picker.options else flags


async def test_h2spec_finds_no_fault(picker: Picker) -> None:
    """All of its cases pass in strict mode, over plain text and over TLS."""
    address = ("--host", "127.0.0.1", "--port", str(picker.grpc))
    out, errors, code = await said(
        "h2spec", *address, *tls(picker, "--tls", "--insecure"), "--strict", "--timeout", "2"
    )
    report = _COLOURS.sub("", out).replace("\r", "")

    failures = report.partition("Failures:")[2]
    assert code == 0, failures or errors
    assert "146 tests, 146 passed, 0 skipped, 0 failed" in report, failures


async def test_gateway_in_go_is_served(picker: Picker) -> None:
    """Large bodies both ways, half-closes, cancellations, deadlines and health mean the same to grpc-go."""
    out, errors, code = await said("gateway", "-address", f"127.0.0.1:{picker.grpc}", *tls(picker, "-tls"))
    assert code == 0, errors
    seen = json.loads(out)

    assert seen["answered"] == 50
    assert seen["echoed"] > 50 * 2 * 200_000
    assert [seen[way] for way in ("halved", "cancelled", "late", "tooLarge", "unknown")] == [
        "OK",
        "Canceled",
        "DeadlineExceeded",
        "ResourceExhausted",
        "Unimplemented",
    ]
    assert set(seen["health"].values()) == {"SERVING", "NotFound"}
    assert seen["health"]["other"] == "NotFound"
    assert seen["watched"] == ["SERVING", "Canceled"]
    await until(lambda: _idle(picker))


async def _idle(picker: Picker) -> bool:
    return "chimera_streams 0.0" in await picker.metrics()
