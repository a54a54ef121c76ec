"""Work that takes a share of the event loop's time."""

import asyncio
from collections.abc import Callable

import pytest

from chimera_router.management.pacing import Pace

pytestmark = pytest.mark.anyio


def working(seconds: float) -> Callable[[], float]:
    """Return work that keeps the event loop for so long, and returns when it began."""

    def work() -> float:
        began = loop_time()
        while loop_time() < began + seconds:
            pass
        return began

    return work


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def test_first_is_done_at_once() -> None:
    """Who is alone waits for nobody."""
    before = loop_time()

    assert await Pace(0.1, clock=loop_time).do(working(0.0)) - before < 0.05


async def test_work_leaves_its_share_to_others() -> None:
    """Between two pieces the loop is free for as long as the first one's share asks for, whoever asked for them."""
    pace = Pace(0.1, clock=loop_time)

    first, second, third = await asyncio.gather(*(pace.do(working(0.005)) for _ in range(3)))

    assert second - first >= 0.05
    assert third - second >= 0.05


async def test_work_that_fails_keeps_nobody_out() -> None:
    """An error is its caller's; the next one has its turn."""
    pace = Pace(0.5, clock=loop_time)

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await pace.do(fail)

    assert await pace.do(lambda: "done") == "done"
