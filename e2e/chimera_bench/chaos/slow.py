"""Row 16: clients that send a byte of their body a second, or fall silent in the middle of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chimera_bench.chaos.crowd import Crowd
from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Ground, Site, ground
from chimera_bench.chaos.healthy import CHANGE, compare
from chimera_bench.chaos.probe import probe
from chimera_bench.load import processes
from chimera_bench.load.waiting import until, until_awaited

_PERMITS = 100  # bodies that may be read at once, where that is what is measured
_BODY_SECONDS = 4.0  # for a body, where that is
_LIMIT = 30.0  # seconds for what has to become true at all
_BARRED, _LATE = 429, 408


async def slow(*, clients: int = 5000, seconds: float = 30.0) -> list[Finding]:
    """Let so many clients send a byte a second, beside healthy traffic for so many seconds; then fewer, within caps."""
    return [*await _beside(clients, seconds), await _capped()]


async def _beside(clients: int, seconds: float) -> list[Finding]:
    async with ground() as pool:
        picker = pool.pickers[0]
        memory = processes.resident_bytes(picker.pid)
        async with _crowd(pool, clients) as crowd, _dribbling(crowd):
            await _until_read(pool, clients)
            seen, waiting = await compare(pool, crowd.sending, seconds), crowd.waiting
            grown = processes.resident_bytes(picker.pid) - memory
        settled = await picker.settle()
    return [
        Finding(
            row="16a",
            fault=f"{clients} clients send a byte of their body a second",
            rule="all are read at once, and nothing is held when they have left",
            figure=f"{waiting} read at once, {grown / clients / 1e3:.1f} KB each; idle {settled:.2f} s later",
            passed=waiting == clients,
        ),
        Finding(
            row="16b",
            fault="the same, beside others",
            rule=f"healthy p99 grows by less than {CHANGE:.0%}",
            figure=str(seen),
            passed=seen.unharmed,
        ),
    ]


async def _capped() -> Finding:
    """Let more begin than may, who then fall silent: a byte to who has answered and closed would undo the answer."""
    clients = 2 * _PERMITS + _PERMITS // 2
    limits = {"maxReading": _PERMITS, "firstByteSeconds": _BODY_SECONDS, "bodySeconds": _BODY_SECONDS}
    async with ground(Site(config={"limits": limits})) as pool:
        async with _crowd(pool, clients) as crowd:
            await until(lambda: crowd.waiting <= _PERMITS, what="the others are turned away", seconds=_LIMIT)
            barred = (await probe(pool.port)).status
            await until(lambda: crowd.waiting == 0, what="all are answered", seconds=_LIMIT)
            served, statuses = (await probe(pool.port)).status, dict(crowd.statuses)
        settled = await pool.pickers[0].settle()
    return Finding(
        row="16c",
        fault=f"{clients} fall silent where {_PERMITS} bodies may be read at once, for {_BODY_SECONDS:g} s each",
        rule=f"{_PERMITS} get {_LATE}, all others {_BARRED}, meanwhile everybody else too; then all are served again",
        figure=f"{statuses}, meanwhile {barred}, then {served}; idle {settled:.2f} s later",
        passed=statuses == {_BARRED: clients - _PERMITS, _LATE: _PERMITS} and (barred, served) == (_BARRED, 200),
    )


@asynccontextmanager
async def _crowd(pool: Ground, clients: int) -> AsyncIterator[Crowd]:
    crowd = Crowd(pool.port)
    try:
        await crowd.begin(clients)
        yield crowd
    finally:
        await crowd.leave()


@asynccontextmanager
async def _dribbling(crowd: Crowd) -> AsyncIterator[None]:
    crowd.sending.set()
    dribbling = asyncio.create_task(crowd.dribble())
    try:
        yield
    finally:
        dribbling.cancel()


async def _until_read(pool: Ground, clients: int) -> None:
    async def so() -> bool:
        return await pool.pickers[0].metric("chimera_streams") >= clients

    await until_awaited(so, what=f"{clients} bodies are being read", seconds=_LIMIT)
