import asyncio
import time

import pytest
from shared_pickers import SharingTable, codec, program, sharing, until
from shared_servers import Kept, MemoryServer

from chimera_router.parsing.messages import Message
from chimera_router.sharing import workflows
from chimera_router.sharing.breaker import FIRST_PAUSE
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.recall import Lookup

pytestmark = pytest.mark.anyio

TASK = Message("user", "solve it")
TOLD = "the reply of the first stage, long enough to tell"
LATER = (TASK, Message("assistant", TOLD), Message("user", "and then?"))
ASKED = Lookup(tenant="", id="w")
RUN = Claim("run-7", FoundBy.SESSION)


def server(kept: Kept | None = None, picker: bytes = b"a") -> MemoryServer:
    return MemoryServer(kept or Kept(), picker)


async def up(picker: SharingTable) -> None:
    await until(lambda: picker.up)


async def test_the_next_stage_is_known_at_another_picker() -> None:
    """Its workflow keeps its id, its place and its tokens."""
    kept = Kept()
    async with sharing(server(kept), codec(b"a")) as one, sharing(server(kept, b"b"), codec(b"b")) as other:
        await up(other)
        first = await one.arrive(TASK)
        one.answered(first, TOLD, tokens=30)
        await one.told()

        second = await other.arrive(*LATER)

        assert (second.program.id, second.program.stage, second.found_by) == (first.program.id, 1, FoundBy.MESSAGES)
        assert (second.program.tokens, second.program.assignment) == (30, first.program.assignment)
        assert other.metric("chimera_shared_lookups_total", outcome="found") == 1


async def test_the_latest_word_is_not_asked_for() -> None:
    """A picker that has given the latest answer itself asks nobody; a first request has nothing to ask."""
    async with sharing(server(), codec(b"a")) as picker:
        await up(picker)
        picker.answered(await picker.arrive(TASK), TOLD, tokens=30)

        assert (await picker.arrive(*LATER)).program.stage == 1
        assert picker.metric("chimera_shared_lookup_seconds_count") == 0


async def test_nobody_waits_for_a_server_that_was_never_there() -> None:
    """Look-ups are answered at once, with nothing."""
    gone = server()
    gone.away = True
    async with sharing(gone, codec(b"a")) as picker:
        assert await picker.shared.look_up(ASKED) == ()
        assert picker.metric("chimera_shared_lookups_total", outcome="away") == 1


async def test_a_server_that_hangs_costs_a_few_deadlines() -> None:
    """Then it counts as away, and look-ups no longer wait until it has answered a trial."""
    hanging = server()
    async with sharing(hanging, codec(b"a"), deadline=0.01) as picker:
        await up(picker)
        hanging.hangs = True

        while picker.up:
            assert await picker.shared.look_up(ASKED) == ()
        late = picker.metric("chimera_shared_lookups_total", outcome="late")
        assert await picker.shared.look_up(ASKED) == ()

        assert late <= 3
        assert picker.metric("chimera_shared_lookups_total", outcome="away") == 1
        hanging.hangs = False
        await up(picker)


async def test_a_server_that_answers_too_late_is_as_good_as_none() -> None:
    """It stays away while it is slow, and comes back once a trial is in time."""
    slow = server()
    async with sharing(slow, codec(b"a"), deadline=0.02) as picker:
        await up(picker)
        slow.takes = 0.1
        while picker.up:
            await picker.shared.look_up(ASKED)
        began, tries = time.monotonic(), slow.exchanges
        slow.takes = 0.03
        await until(lambda: slow.exchanges >= tries + 3)  # of two trials, the first of which is over
        still_away = not picker.up
        slow.takes = 0.0
        await up(picker)

    assert still_away
    assert time.monotonic() - began > FIRST_PAUSE


async def test_what_changes_while_the_server_is_away_is_told_later() -> None:
    """Each workflow once, as it is then, with all that leads to it."""
    kept = Kept()
    leaving = server(kept)
    async with sharing(leaving, codec(b"a")) as one, sharing(server(kept, b"b"), codec(b"b")) as other:
        await up(one)
        await up(other)
        leaving.away = True
        one.answered(await one.arrive(TASK), TOLD, tokens=30)
        await until(lambda: not one.up)
        for stage in range(3):
            one.answered(await one.arrive(Message("user", f"stage {stage}"), claim=RUN), TOLD, tokens=10)
        leaving.away = False
        await one.told()

        assert one.metric("chimera_shared_workflows_told_total") == 2
        assert (await other.arrive(*LATER)).program.tokens == 30
        assert (await other.arrive(TASK, claim=RUN)).program.tokens == 30


async def test_a_picker_that_stops_tells_what_it_knows() -> None:
    """The last answers before the end are not lost, and no connection stays open."""
    kept = Kept()
    closing = server(kept)
    async with sharing(closing, codec(b"a")) as picker:
        await up(picker)
        for number in range(3 * workflows.LARGEST_BATCH):
            picker.shared.tell(program(f"w-{number}"), ())

    assert len(kept.parts) == 3 * workflows.LARGEST_BATCH
    assert closing.closed


async def test_a_picker_that_stops_waits_for_no_absent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives itself a moment, and goes."""
    monkeypatch.setattr(workflows, "LAST_WORDS", 0.01)
    hanging = server()
    async with sharing(hanging, codec(b"a")) as picker:
        await up(picker)
        hanging.hangs = True
        picker.shared.tell(program(), ())
        began = time.monotonic()

    assert time.monotonic() - began < 1.0
    assert hanging.closed


async def test_a_look_up_whose_client_left_is_not_asked() -> None:
    """It costs the server nothing, and those behind it are answered."""
    asked = server()
    async with sharing(asked, codec(b"a")) as picker:
        await up(picker)
        left = asyncio.create_task(picker.shared.look_up(ASKED))
        await asyncio.sleep(0)
        left.cancel()

        assert await picker.shared.look_up(ASKED) == ()
        assert left.cancelled()
        assert asked.asked == 1
