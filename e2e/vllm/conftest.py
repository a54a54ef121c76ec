"""What the suite on real vLLM shares: two pools of the same file, one served by vLLM and one by the simulator."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from missing import absent
from processes import await_that, children
from real_engines import START_SECONDS, Served

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.documents import load_pool
from chimera_vllm import site
from chimera_vllm.site import Site

POOL = Path(__file__).with_name("pool.yaml")
EVIDENCE = Path("out/e2e/vllm")

STOP_SECONDS = 60.0

ANSWER_SECONDS = 300.0
"""For one answer, most of which queue behind others on purpose."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def vllm() -> Site:
    """Return the vLLM that was prepared on this machine."""
    found = site.found()
    if found is None:
        absent("vLLM is not prepared here: make e2e-vllm (6 GB in the user's cache)")
    return found


@pytest.fixture(scope="session")
def pool() -> HeterogeneousModelPool:
    """Return the pool of the file."""
    return load_pool(POOL)


@pytest.fixture(scope="session")
def real(vllm: Site) -> Iterator[Served]:
    """Serve the pool by vLLM."""
    with _up("vllm", vllm.variables) as served:
        yield served


@pytest.fixture(scope="session")
def simulated() -> Iterator[Served]:
    """Serve the pool by the simulator."""
    with _up("simulator", os.environ) as served:
        yield served


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client with patience."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as session:
        yield session


@contextmanager
def _up(engine: str, variables: Mapping[str, str]) -> Iterator[Served]:
    """Run `chimera up` until the block ends; its logs stay."""
    folder = EVIDENCE.absolute() / engine
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / "up.log"
    options = ["--engine", engine, "--port", "0", "--logs", str(folder), "--state", str(folder / "state")]
    with said.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "chimera_cli", "up", str(POOL), *options],
            env={**variables, "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        await_that(lambda: _serves(said) or process.poll() is not None, seconds=START_SECONDS)
        assert process.poll() is None, said.read_text()
        yield _served(said.read_text(), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _serves(said: Path) -> bool:
    return "Ctrl-C stops it" in said.read_text()


def _served(said: str, pid: int) -> Served:
    words = said.split()
    management = next(word for word in words if word.endswith("/metrics.")).removesuffix("/metrics.")
    lines = [line.split() for line in children(pid).values() if "--served-model-name" in line]
    engines = {_option(line, "--served-model-name"): f"http://127.0.0.1:{_option(line, '--port')}" for line in lines}
    return Served(url=words[words.index("serves") + 2], management=management, engines=engines)


def _option(line: list[str], name: str) -> str:
    return line[line.index(name) + 1]
