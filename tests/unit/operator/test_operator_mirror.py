"""A mirror has what the API server has, whatever happens between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from scripted_apis import VirtualTime, settled
from scripted_servers import Answer, Interruptions, ScriptedServer, event, failure, page, watcher

from chimera_operator.cluster.errors import ApiFailure, ApiServerError
from chimera_operator.cluster.mirror import ABSENCE, DOUBT, PAGE, WATCH, Mirror
from chimera_operator.cluster.resources import POD
from chimera_operator.cluster.store import Store
from chimera_operator.cluster.watcher import Presence, Subject

pytestmark = pytest.mark.anyio


class Mirrored:
    """A mirror of a scripted server."""

    def __init__(self, *script: Answer) -> None:
        self.time = VirtualTime()
        self.api = ScriptedServer(self.time, *script)
        self.interruptions = Interruptions()
        self.changed: list[str] = []
        self.turns: list[Presence] = []
        self.store = Store(lambda name, _pool: self.changed.append(name.name))
        subject = Subject(kind=POD, query={"labelSelector": "a=b"})
        self.mirror = Mirror(watcher(self.api, self.time, self.interruptions), subject, self.store, self._turn)

    def _turn(self) -> None:
        self.turns.append(self.mirror.presence)

    @property
    def names(self) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.store)

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.api.calls]


@asynccontextmanager
async def mirrored(*script: Answer) -> AsyncIterator[Mirrored]:
    made = Mirrored(*script)
    task = asyncio.ensure_future(made.mirror.run())
    await settled()
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def pod(name: str, version: int = 1, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}, **fields}


def refused(failure: ApiFailure, *, retry_after: float = 0.0) -> ApiServerError:
    return ApiServerError(failure, retry_after=retry_after)


QUIET = [1e9]  # seconds, more than any test has


async def test_lists_once_and_watches_from_there() -> None:
    """What a list has is there, complete with what its list says of all; events change it."""
    lines = [event("ADDED", 6, "b"), event("MODIFIED", 7, "b"), event("DELETED", 8, "a"), *QUIET]
    async with mirrored(page(pod("a"), version=5), lines) as found:
        assert found.names == ["b"]
        assert found.changed == ["a", "b", "b", "a"]
        assert found.turns == [Presence.PRESENT]
        assert found.api.calls[0] == ("list", {"labelSelector": "a=b", "limit": str(PAGE)})
        watched = found.api.calls[1][1]
        assert watched == {
            "labelSelector": "a=b",
            "resourceVersion": "5",
            "path": "/api/v1/pods",
            "seconds": str(2 * WATCH),
        }
        assert found.store.seen == 8


async def test_items_of_a_list_are_complete_objects() -> None:
    """Built-in lists leave out what their items are; readers need not know where an object came from."""
    async with mirrored(page(pod("a"), version=5), QUIET) as found:
        (item,) = found.store
        assert (item["apiVersion"], item["kind"]) == ("v1", "Pod")


async def test_long_lists_come_in_pages() -> None:
    """Every page counts, and only the last says from where to watch."""
    first = page(pod("a"), version=5, proceed="more")
    async with mirrored(first, page(pod("b"), version=5), QUIET) as found:
        assert found.names == ["a", "b"]
        assert found.api.calls[1][1]["continue"] == "more"
        assert found.verbs == ["list", "list", "watch"]


async def test_the_end_of_a_watch_is_no_failure() -> None:
    """After a watch has lasted its time the next one goes on from there, without a list."""
    lines = [event("BOOKMARK", 9), 300.0]
    async with mirrored(page(pod("a"), version=5), lines, QUIET) as found:
        await found.time.passes(301.0)
        assert found.verbs == ["list", "watch", "watch"]
        assert found.api.calls[2][1]["resourceVersion"] == "9"
        assert found.interruptions.told == []


@pytest.mark.parametrize("forgotten", [[failure(410)], refused(ApiFailure.EXPIRED)], ids=["event", "status"])
async def test_what_the_server_forgot_is_listed_anew(forgotten: Answer) -> None:
    """A 410 brings a list, a tenth of a second later, which also ends what went meanwhile."""
    async with mirrored(page(pod("a"), pod("b"), version=5), forgotten, page(pod("b", 7), version=8), QUIET) as found:
        await found.time.passes(0.1)
        assert found.names == ["b"]
        assert found.verbs == ["list", "watch", "list", "watch"]
        assert found.turns == [Presence.PRESENT]


async def test_a_server_that_fails_is_asked_ever_more_rarely() -> None:
    """Waits double up to five seconds, and what is known stays."""
    away = [refused(ApiFailure.UNREACHABLE)] * 8
    async with mirrored(page(pod("a"), version=5), *away, QUIET) as found:
        await found.time.passes(30.0)
        assert found.time.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
        assert found.names == ["a"]
        assert found.verbs == ["list", *["watch"] * 9]
        assert found.interruptions.told == [("pods", "unreachable")] * 8


async def test_a_server_that_asks_for_time_gets_it() -> None:
    """A 429 is obeyed, whatever the own back-off would be."""
    async with mirrored(refused(ApiFailure.THROTTLED, retry_after=7.0), page(version=5), QUIET) as found:
        await found.time.passes(10.0)
        assert found.time.slept == [8.0]


async def test_an_error_in_a_watch_is_survived() -> None:
    """A 500 in the stream, such as at a change of etcd's leader, ends the watch and nothing else."""
    async with mirrored(page(pod("a"), version=5), [failure(500)], QUIET) as found:
        await found.time.passes(1.0)
        assert found.verbs == ["list", "watch", "watch"]
        assert found.names == ["a"]


async def test_a_line_that_cannot_be_read_brings_a_list() -> None:
    """After nonsense only a list tells what is there."""
    async with mirrored(page(pod("a"), version=5), [b"{nonsense"], page(pod("b", 7), version=8), QUIET) as found:
        await found.time.passes(1.0)
        assert found.names == ["b"]


async def test_a_watch_that_ends_at_once_is_a_failure() -> None:
    """A server that closes every watch without a word is not asked in a loop."""
    async with mirrored(page(version=5), [], [], [], QUIET) as found:
        await found.time.passes(5.0)
        assert found.time.slept == [0.1, 0.2, 0.4]
        assert found.interruptions.told == [("pods", "closed")] * 3


async def test_a_kind_that_is_not_there_is_absent_and_asked_for_again() -> None:
    """A missing definition is no failure; once it is there its objects are."""
    nothing = refused(ApiFailure.NOT_FOUND)
    async with mirrored(nothing, nothing, page(pod("a"), version=5), QUIET) as found:
        assert found.mirror.presence is Presence.ABSENT
        await found.time.passes(2 * ABSENCE)
        assert found.time.slept == [ABSENCE, ABSENCE]
        assert found.turns == [Presence.ABSENT, Presence.PRESENT]
        assert found.names == ["a"]


async def test_a_kind_that_was_there_is_not_given_up_at_once() -> None:
    """A server that starts may not know its definitions for a moment: nothing is forgotten for that."""
    nothing = [refused(ApiFailure.NOT_FOUND)] * 5
    async with mirrored(page(pod("a"), version=5), *nothing, page(pod("a"), version=5), QUIET) as found:
        await found.time.passes(30.0)
        assert found.turns == [Presence.PRESENT]
        assert found.names == ["a"]


@pytest.mark.parametrize("denied", [ApiFailure.FORBIDDEN, ApiFailure.NOT_FOUND])
async def test_a_server_that_was_away_and_denies_everything_is_not_believed(denied: ApiFailure) -> None:
    """An API server that restarts is away for long, and then denies for a moment what it has always had."""
    away = [refused(ApiFailure.UNREACHABLE)] * 20
    starting = [refused(denied)] * 2
    async with mirrored(page(pod("a"), version=5), *away, *starting, page(pod("a"), version=9), QUIET) as found:
        await found.time.passes(120.0)
        assert found.turns == [Presence.PRESENT]
        assert found.names == ["a"]


async def test_a_kind_whose_definition_was_removed_is_absent() -> None:
    """When the server goes on saying so, its objects are gone."""
    nothing = [refused(ApiFailure.NOT_FOUND)] * 20
    async with mirrored(page(pod("a"), version=5), *nothing) as found:
        await found.time.passes(DOUBT - 1.0)
        assert found.turns == [Presence.PRESENT]
        await found.time.passes(10.0)
        assert found.turns == [Presence.PRESENT, Presence.ABSENT]
        assert found.names == []


async def test_what_may_not_be_seen_counts_as_absent_in_the_end() -> None:
    """A right that is missing is asked for a few times, since a server that starts denies everything."""
    denied = [refused(ApiFailure.FORBIDDEN)] * 20
    async with mirrored(*denied) as found:
        assert found.mirror.presence is Presence.UNKNOWN
        await found.time.passes(30.0)
        assert found.mirror.presence is Presence.ABSENT


async def test_a_mirror_says_how_long_it_has_been_silent() -> None:
    """Every word of the server counts, also one that fails: only a mirror that does nothing is stuck."""
    async with mirrored(page(version=5), [200.0, event("BOOKMARK", 6), *QUIET]) as found:
        began = found.time.now
        await found.time.passes(199.0)
        assert found.mirror.heard_at == began
        await found.time.passes(2.0)
        assert found.mirror.heard_at == began + 200.0
