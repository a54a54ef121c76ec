"""The step model on the clock of an event loop."""

import asyncio
from dataclasses import replace

import pytest
from bench_engines import finished, request
from bench_pools import QUICK

from chimera_bench.engine import realtime
from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.realtime import RealTime
from chimera_bench.engine.types import DoesNotFit, Event, EventKind, Request

pytestmark = pytest.mark.anyio

BUSY = replace(QUICK, base_step=0.002, per_sequence=0.0005, prefill_per_token=0.0001, max_num_seqs=4, kv_tokens=80)


def ignore(_event: Event) -> None:
    """Take no notice."""


async def test_real_time_and_virtual_time_are_one_model() -> None:
    """The same submissions at the same moments finish at the same moments, preemptions and queue included."""
    events: list[Event] = []
    real = RealTime(Engine(BUSY), events.append)

    async def generate(index: int) -> None:
        await asyncio.sleep(index * 0.003)
        with real.generate(request(str(index), prompt=10 + index, output=20 + 3 * index)) as generation:
            await generation.end()

    async with asyncio.TaskGroup() as group:
        for index in range(8):
            group.create_task(generate(index))

    repeated: list[Event] = []
    clock = VirtualTime({"e": Engine(BUSY)}, lambda _, event: repeated.append(event))
    submitted = {event.request.id: event for event in events}
    for event in submitted.values():
        clock.call_at(event.submitted_at, lambda event=event: clock.submit("e", event.request))  # type: ignore[misc]
    clock.run()

    assert finished(repeated) == pytest.approx(finished(events))
    assert [event.kind for event in repeated] == [event.kind for event in events]
    assert EventKind.PREEMPTED in {event.kind for event in events}


async def test_progress_counts_up_to_the_last_token() -> None:
    """Each time there is more, and never twice the same."""
    real = RealTime(Engine(replace(QUICK, base_step=0.005)), ignore)
    with real.generate(request("a", output=30)) as generation:
        told = [made async for made in generation.progress()]

    assert told[-1] == 30
    assert told == sorted(set(told))
    assert len(told) > 2


async def test_a_stream_pauses_longer_beside_many_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all streams together write in a second is bounded."""
    monkeypatch.setattr(realtime, "STREAM_WRITES_PER_SECOND", 20.0)
    real = RealTime(Engine(replace(QUICK, base_step=0.001)), ignore)

    async def chunks(index: int) -> int:
        with real.generate(request(str(index), output=250)) as generation:
            return len([made async for made in generation.progress()])

    counts = await asyncio.gather(*(chunks(index) for index in range(10)))

    assert sum(counts) <= 10 * 3


async def test_leaving_early_cancels_the_request() -> None:
    """Whatever the reason, the engine is idle afterwards."""
    real = RealTime(Engine(QUICK), ignore)

    async def generate() -> None:
        with real.generate(request("a", output=100_000)) as generation:
            await generation.end()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(generate(), 0.02)

    assert real.engine.running == ()


async def test_a_request_that_does_not_fit_leaves_nothing_behind() -> None:
    """The next one is served."""
    real = RealTime(Engine(replace(QUICK, kv_tokens=10)), ignore)
    with pytest.raises(DoesNotFit), real.generate(request("a", prompt=20)):
        pass
    with real.generate(request("b", prompt=2)) as generation:
        await generation.end()


async def test_an_idle_engine_sets_no_alarm() -> None:
    """It wakes for requests only."""
    real = RealTime(Engine(QUICK), ignore)
    with real.generate(request("a", output=3)) as generation:
        await generation.end()

    assert real._wake is None


async def test_a_preempted_stream_goes_on_where_it_stopped() -> None:
    """Its tokens are told once, however often the engine computed its prompt."""
    real = RealTime(Engine(replace(QUICK, kv_tokens=60)), ignore)

    async def told(item: Request) -> list[int]:
        with real.generate(item) as generation:
            return [made async for made in generation.progress()]

    first, second = await asyncio.gather(
        told(request("a", prompt=10, output=40)), told(request("b", prompt=10, output=40))
    )

    assert (first[-1], second[-1]) == (40, 40)
    assert second == sorted(set(second))
