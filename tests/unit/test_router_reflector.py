"""The mirror of a resource, over an API server that answers from a script."""

import asyncio

import pytest
from kubernetes_objects import bookmark, event, page, pod, trouble
from scripted_apis import Answer, Failures, ScriptedApi, VirtualTime, watcher

from chimera_router.datalayer import backoff, resources
from chimera_router.datalayer.reflector import WATCH, Reflector
from chimera_router.errors import ApiFailure, ApiServerError

pytestmark = pytest.mark.anyio

PODS = resources.pods("models", {"app": "engines", "tier": "gpu"})
UNREACHABLE, EXPIRED = ApiServerError(ApiFailure.UNREACHABLE), ApiServerError(ApiFailure.EXPIRED)


class Played:
    """What comes of a script."""

    def __init__(self, *script: Answer) -> None:
        self.failures, self.time = Failures(), VirtualTime()
        self.api = ScriptedApi(self.time, pods=script)
        self.mirror = Reflector(watcher(self.api, self.failures), PODS)
        self.states: list[list[str]] = []

    async def played(self) -> "Played":
        """Follow until the script is over."""
        following = asyncio.ensure_future(self._follow())
        while not self.api.over["pods"].is_set():
            await self.time.passes(1.0)
        following.cancel()
        await asyncio.wait((following,))
        return self

    async def _follow(self) -> None:
        async for pods in self.mirror.states():
            self.states.append(sorted(pods))

    def asked(self, verb: str, key: str) -> list[str | None]:
        """Return a parameter of every list or every watch."""
        return [query.get(key) for each, _, query in self.api.calls if each == verb]


async def played(*script: Answer) -> Played:
    return await Played(*script).played()


async def test_list_is_followed_by_what_happens() -> None:
    """Objects that are added, changed and deleted are there, changed and gone."""
    watch = [
        event("ADDED", pod("b")),
        event("MODIFIED", pod("a", "10.0.0.9")),
        event("DELETED", pod("b")),
        event("DELETED", pod("never seen")),
    ]

    assert (await played(page(pod("a")), watch)).states == [["a"], ["a"], ["a", "b"], ["a", "b"], ["a"], ["a"]]


async def test_objects_are_narrowed_by_the_server() -> None:
    """List and watch ask only for the labels that are wanted, and the watch for bookmarks and an end."""
    over = await played(page(), [bookmark(2)])

    assert over.asked("list", "labelSelector") == over.asked("watch", "labelSelector")[:1] == ["app=engines,tier=gpu"]
    assert over.asked("watch", "allowWatchBookmarks")[0] == "true"
    assert over.asked("watch", "seconds")[0] == str(round(2 * WATCH))


async def test_watch_goes_on_where_it_ended() -> None:
    """The next watch begins after the last event or bookmark, without a list in between, and nothing has failed."""
    over = await played(page(version=5), [event("ADDED", pod("a"), version=7)], [bookmark(9)], [])

    assert over.asked("watch", "resourceVersion")[:3] == ["5", "7", "9"]
    assert (len(over.asked("list", "labelSelector")), over.failures.failures) == (1, [ApiFailure.CLOSED])


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(EXPIRED, id="as a status"),
        pytest.param([trouble(410)], id="as an event"),
        pytest.param([b"no json\n"], id="or the server talks nonsense"),
        pytest.param([event("ADDED", {"metadata": {"name": 3}})], id="or says what no object is"),
    ],
)
async def test_forgotten_version_is_listed_anew(watch: Answer) -> None:
    """Where a watch cannot go on, the list is read again: what was missed is there, what is gone is gone."""
    over = await played(page(pod("a"), version=1), watch, page(pod("b"), version=50), [bookmark(51)])

    assert over.states[-1] == ["b"]
    assert over.asked("watch", "resourceVersion")[-1] == "51"
    assert over.failures.relists == ["pods"]


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(UNREACHABLE, id="refused"),
        pytest.param([UNREACHABLE], id="broken"),
        pytest.param([trouble(500)], id="an error of the server"),
    ],
)
async def test_broken_watch_keeps_what_is_known(watch: Answer) -> None:
    """A watch that breaks otherwise goes on from its version, and the objects stay."""
    over = await played(page(pod("a"), version=4), watch, [bookmark(6)])

    assert over.states[-1] == ["a"]
    assert over.asked("watch", "resourceVersion") == ["4", "4", "6"]
    assert (len(over.failures.failures), over.failures.relists) == (1, [])


async def test_failures_in_a_row_are_further_apart() -> None:
    """Each wait is twice the one before, up to the cap, until the server says something again."""
    over = await played(*[UNREACHABLE] * 8, page(), [bookmark(2), UNREACHABLE])

    waits = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, backoff.CAP, backoff.CAP]
    assert over.time.slept == pytest.approx([*waits, 0.1])


async def test_quiet_watch_is_well() -> None:
    """A watch in which nothing happened until the server ended it is no failure, and confirms what is known."""
    over = await played(page(), [60.0], [60.0], [60.0])

    assert over.failures.failures == []
    assert over.time.slept == pytest.approx([0.1, 0.1, 0.1])
    assert over.mirror.confirmed_at == pytest.approx(1120.2)


async def test_watches_that_end_at_once_are_failures() -> None:
    """A server that takes every watch and ends it without a word is not asked again and again without a pause."""
    over = await played(page(), [], [], [])

    assert over.failures.failures == [ApiFailure.CLOSED] * 3
    assert over.time.slept == pytest.approx([0.1, 0.2, 0.4])


async def test_expired_version_is_listed_at_once() -> None:
    """A server that has forgotten is there and well: nobody waits, unless it forgets what it has just said."""
    over = await played(page(), [bookmark(2)], EXPIRED, page(), EXPIRED, page(), [bookmark(2)])

    assert over.time.slept == pytest.approx([0.1, 0.1, 0.1])
    assert [verb for verb, *_ in over.api.calls] == [
        "list",
        *["watch", "watch", "list"],
        "watch",
        "list",
        *["watch"] * 2,
    ]


async def test_server_that_asks_for_patience_gets_it() -> None:
    """Where the server says when to come back, that counts, and not how often it has failed."""
    throttled = ApiServerError(ApiFailure.THROTTLED, retry_after=1.0)
    over = await played(*[UNREACHABLE] * 7, throttled, page(), [bookmark(2)])

    assert over.time.slept[7] == 2.0


async def test_every_sign_of_life_confirms_the_mirror() -> None:
    """A list, a watch that opens and a bookmark say that the mirror is true; a failure does not."""
    over = Played(page(), [50.0, bookmark(2)], UNREACHABLE, UNREACHABLE)
    began = over.mirror.confirmed_at

    await over.played()

    assert (began, over.mirror.confirmed_at) == (1000.0, 1050.0)


async def test_states_are_never_edited() -> None:
    """What was yielded once stays as it was."""
    states = Played(page(pod("a")), [event("DELETED", pod("a"))]).mirror.states()
    first, _, last = [await anext(states) for _ in range(3)]
    await states.aclose()

    assert (list(first), list(last)) == (["a"], [])
