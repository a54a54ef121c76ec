"""Row 6: all engines go, by a list without them or by their deaths, and come back."""

import asyncio
import signal

from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.ground import Ground, ground
from chimera_bench.chaos.probe import probe
from chimera_bench.load.waiting import until_awaited
from chimera_router.engines.pacing import FAST, RETRY

_GONE = "rejected-no-endpoints"
_LIMIT = 15.0  # seconds for what has to become true at all
_MARGIN = 0.5  # seconds that a busy machine may add
_SILENCE = 5.0  # seconds after which engines that are gone are asked as rarely as they ever are


async def scaled(*, silence: float = _SILENCE) -> list[Finding]:
    """Take all engines away, twice; wait so many seconds before they come back from their deaths."""
    async with ground() as pool:
        await _until(pool, 200)
        return [await _unlisted(pool), await _dead(pool, silence)]


async def _unlisted(pool: Ground) -> Finding:
    pool.list_endpoints([])
    gone = await _until(pool, 503)
    reason = (await probe(pool.port)).reason
    pool.list_endpoints(pool.ports)
    back = await _until(pool, 200)
    return Finding(
        row="6a",
        fault="the list of endpoints is emptied (scale to zero), and filled again",
        rule=f"503 with the reason {_GONE}; served within {FAST:g} s of the new list",
        figure=f"503 {reason} after {gone:.2f} s, served {back:.2f} s after the engines were listed",
        passed=reason == _GONE and back < FAST + _MARGIN,
    )


async def _dead(pool: Ground, silence: float) -> Finding:
    for engine in pool.engines:
        engine.signal(signal.SIGKILL)
    gone = await _until_refused(pool)
    reason = (await probe(pool.port)).reason
    await asyncio.sleep(silence)
    await asyncio.gather(*(engine.start() for engine in pool.engines))
    back = await _until(pool, 200)
    return Finding(
        row="6b",
        fault=f"kill -9 of all engines, started again {silence:g} s later",
        rule=f"503 with the reason {_GONE}; served within {RETRY:g} s of their start",
        figure=f"503 {reason} after {gone:.2f} s, served {back:.2f} s after the engines listened",
        passed=reason == _GONE and back < RETRY + _MARGIN,
    )


async def _until(pool: Ground, status: int) -> float:
    async def so() -> bool:
        return (await probe(pool.port)).status == status

    return await until_awaited(so, what=f"a request gets {status}", seconds=_LIMIT)


async def _until_refused(pool: Ground) -> float:
    """Wait until the picker itself refuses; before that Envoy says 503 of engines that it cannot reach."""

    async def so() -> bool:
        return bool((await probe(pool.port)).reason)

    return await until_awaited(so, what="the picker refuses", seconds=_LIMIT)
