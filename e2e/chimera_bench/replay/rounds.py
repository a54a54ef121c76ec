"""One round of a comparison: a workload replayed against a running pool, which is watched meanwhile."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from chimera_bench.replay.live import LiveReplay
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.workload import Arrival

# Seconds until a picker has closed the books of the last request, and between two looks at them.
SETTLE_SECONDS = 5.0
LOOK_SECONDS = 0.1


class Pool(Protocol):
    """A pool that serves, as `chimera_operator.local` runs it; engines are called `<model>-<n>`."""

    @property
    def url(self) -> str: ...  # noqa: D102 - where clients send requests

    @property
    def management_url(self) -> str: ...  # noqa: D102 - the picker's own address

    @property
    def pids(self) -> Mapping[str, int]: ...  # noqa: D102 - process ids by name

    async def wait_failed(self) -> str:
        """Wait until the pool can serve no longer; return a sentence about it."""

    def lost_engines(self) -> AsyncIterator[str]:
        """Yield a sentence for each engine that ends."""


class PoolLost(Exception):  # noqa: N818 - what happened
    """A process of the pool ended during the round; the text says which and how."""


class EngineKiller:
    """Kills the first engine of the model that has answered most, once half of the workflows have ended.

    Attributes:
        killed: Name of the engine; empty until then.
    """

    def __init__(self, pids: Mapping[str, int], *, workflows: int) -> None:
        self._pids = pids
        self._half = workflows // 2
        self._ended: Counter[str] = Counter()
        self.killed = ""

    def observe(self, result: WorkflowResult) -> None:
        """Count a workflow that ended."""
        self._ended[result.model or ""] += 1
        if self._ended.total() >= self._half and not self.killed:
            self.killed = f"{self._ended.most_common(1)[0][0]}-0"
            os.kill(self._pids[self.killed], signal.SIGKILL)


async def play(  # noqa: PLR0913 - what a round takes, by name
    pool: Pool,
    arrivals: Sequence[Arrival],
    *,
    speed: float,
    on_result: Callable[[WorkflowResult], None],
    engines_may_end: bool = False,
    names_application: bool = False,
) -> list[WorkflowResult]:
    """Replay a workload; the round ends early where a process of the pool does.

    Args:
        pool: Serves already.
        arrivals: The workload.
        speed: How many times faster than real the pool's engines run.
        on_result: Called with each workflow's result as it ends.
        engines_may_end: Whether the loss of an engine is part of the round.
        names_application: Whether requests name their application, by the task set they come from.

    Raises:
        PoolLost: A process of the pool ended.
        ReplayError: The pool refuses a request.
    """
    try:
        async with asyncio.TaskGroup() as group:
            guards = [group.create_task(_guard_front(pool))]
            if not engines_may_end:
                guards.append(group.create_task(_guard_engines(pool)))
            replay = LiveReplay(pool.url, speed=speed, on_result=on_result, names_application=names_application)
            results = await replay.run(arrivals)
            for guard in guards:
                guard.cancel()
    except* PoolLost as losses:
        loss = losses.exceptions[0]
    else:
        return results
    raise loss


async def _guard_front(pool: Pool) -> None:
    raise PoolLost(await pool.wait_failed())


async def _guard_engines(pool: Pool) -> None:
    async for loss in pool.lost_engines():
        raise PoolLost(loss)


async def settled(pool: Pool, *, seconds: float = SETTLE_SECONDS) -> int:
    """Wait until the picker counts no request in flight; return how many it still counts in the end.

    Raises:
        PoolLost: The picker does not answer.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        while True:
            in_flight = await _in_flight(session, pool)
            if not in_flight or asyncio.get_running_loop().time() >= deadline:
                return in_flight
            await asyncio.sleep(LOOK_SECONDS)


async def _in_flight(session: aiohttp.ClientSession, pool: Pool) -> int:
    try:
        async with session.get(f"{pool.management_url}/chimera/v1/status") as response:
            status: dict[str, Any] = await response.json()
    except aiohttp.ClientError:
        raise PoolLost("the picker does not answer") from None
    return sum(int(model["in_flight"]) for model in status["models"])
