"""Whatever clients and engines do, flow control leaves nothing behind."""

import asyncio
import json
from typing import TYPE_CHECKING

from directors import Clock, director
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.errors import Overloaded
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Choose

if TYPE_CHECKING:
    from chimera_router.exchange import Exchange

SLOTS = 4
LIMITS = HoldLimits(max_requests=6, per_tenant_max_requests=4, ttl=5.0, objectives={"urgent": 1, "batch": -1})
steps = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 11)),
    st.tuples(st.just("cancel"), st.integers(0, 8)),
    st.tuples(st.just("close"), st.integers(0, 2 * SLOTS - 1)),
    st.tuples(st.just("pass"), st.integers(0, 6)),
    st.tuples(st.just("turn"), st.just(0)),
)


class Clients:
    """Requests on their way, each a task that keeps its exchange until it is closed."""

    def __init__(self, made: Director, clock: Clock) -> None:
        self.made, self.clock = made, clock
        self.tasks: list[asyncio.Task[Exchange]] = []
        self.closed: set[asyncio.Task[Exchange]] = set()

    def ask(self, number: int) -> None:
        objective = ("", "urgent", "batch")[number % 3]
        headers = {wire.TENANT: f"t{number % 2}", wire.OBJECTIVES[0]: objective}
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": f"{len(self.tasks)}"}]})
        asked = Choose(
            request=parse(Api.CHAT, body.encode(), Limits()),
            headers=headers,
            pinned=("large", None)[number % 4 > 0],
            subset=None,
        )
        self.tasks.append(asyncio.create_task(self.made.choose(asked)))

    def cancel(self, number: int) -> None:
        """Cancel one of those that came last."""
        self.tasks[-1 - number % len(self.tasks)].cancel()

    def close(self, number: int) -> None:
        """End an answer."""
        answered = [each for each in self.tasks if _answered(each) and each not in self.closed]
        if answered:
            task = answered[number % len(answered)]
            self.closed.add(task)
            task.result().close()

    async def step(self, what: str, number: int) -> None:
        match what:
            case "ask":
                self.ask(number)
            case "cancel":
                self.cancel(number)
            case "close":
                self.close(number)
            case "pass":
                self.clock.now += number
                self.made.holding.wake()
            case _:
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """End everything: answers, then the time of those who still wait."""
        for _ in range(len(self.tasks) + 3):
            await asyncio.sleep(0)
            for _ in self.tasks:
                self.close(0)
        self.clock.now += LIMITS.ttl
        self.made.holding.wake()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def _answered(task: "asyncio.Task[Exchange]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def loads(made: Director) -> list[int]:
    return [state.load.requests for state in made.snapshot().endpoints]


async def run(script: list[tuple[str, int]]) -> None:
    clock = Clock()
    made = director(flow_control=LIMITS, clock=clock)
    clients = Clients(made, clock)
    for _ in range(2 * SLOTS):
        clients.ask(3)
    await asyncio.sleep(0)
    assert loads(made) == [SLOTS, SLOTS]
    for what, number in script:
        await clients.step(what, number)
        assert max(loads(made)) <= SLOTS
        assert len(made.holding.queue) <= LIMITS.max_requests
    await clients.settle()
    assert (loads(made), len(made.holding.queue), made.holding._waiting) == ([0, 0], 0, {})
    for task in clients.tasks:
        assert task.cancelled() or task.exception() is None or isinstance(task.exception(), Overloaded)


@settings(max_examples=80)
@given(script=st.lists(steps, min_size=10, max_size=80))
def test_nothing_is_left_behind(script: list[tuple[str, int]]) -> None:
    """Engines never get more than their slots, every request ends, and at the end nothing waits or is in flight."""
    asyncio.run(run(script))
