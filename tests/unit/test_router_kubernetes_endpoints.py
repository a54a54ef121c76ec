"""A pool and its pods become one list of endpoints, over an API server that answers from a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from kubernetes_objects import event, page, pod, pool
from scripted_apis import Answer, Failures, ScriptedApi, VirtualTime, settled, watcher

from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.kubernetes import KubernetesEndpoints
from chimera_router.datalayer.membership import Standing
from chimera_router.errors import ApiFailure, ApiServerError
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import Endpoint

pytestmark = pytest.mark.anyio

UNREACHABLE = ApiServerError(ApiFailure.UNREACHABLE)
BEFORE = Endpoint(name="before", address="10.9.9.9:1", model="small")
POOL = page(pool(8000))


class Found:
    """A source over scripts for the pool and its pods, and what it publishes."""

    def __init__(self, pools: Sequence[Answer], pods: Sequence[Answer]) -> None:
        self.time = VirtualTime()
        self.api = ScriptedApi(self.time, inferencepools=pools, pods=pods)
        self.datastore = Datastore(Ledger())
        self.datastore.replace([BEFORE])
        self.lists: list[list[str]] = []
        self.datastore.changed = lambda: self.lists.append(self.names)
        self.source = KubernetesEndpoints(
            watcher(self.api, Failures()),
            self.datastore,
            namespace="models",
            inference_pool="pool",
            max_age=120.0,
        )

    @property
    def names(self) -> list[str]:
        return [endpoint.name for endpoint in self.datastore.endpoints]


@asynccontextmanager
async def found(pools: Sequence[Answer], pods: Sequence[Answer]) -> AsyncIterator[Found]:
    """Follow what the scripts say."""
    made = Found(pools, pods)
    (await made.source.prepare(["small", "large"]))()
    following = asyncio.ensure_future(made.source.run())
    try:
        yield made
    finally:
        following.cancel()
        await asyncio.wait((following,))


async def test_endpoints_are_published_when_both_are_known() -> None:
    """Neither a pool without its pods nor an empty beginning is published: what was there before stays till then."""
    async with found([POOL], [page(pod("a"), pod("b", "10.0.0.2"))]) as made:
        assert (made.source.synced, made.names) == (False, ["before"])
        await settled()

        assert made.lists == [["a", "b"]]
        assert made.source.counts[Standing.ENDPOINT] == 2


async def test_pods_are_those_of_the_selector() -> None:
    """The server is asked for the pods that the pool selects, in the pool's namespace."""
    async with found([page(pool(8000, app="engines", tier="gpu"))], [page()]) as made:
        await settled()

        assert made.api.calls[-1] != made.api.calls[0]
        assert ("list", "pods", {"labelSelector": "app=engines,tier=gpu"}) in made.api.calls
        assert ("list", "inferencepools", {"fieldSelector": "metadata.name=pool"}) in made.api.calls


async def test_other_selector_keeps_the_list_until_its_pods_are_known() -> None:
    """Between two selectors there is no moment without endpoints, and after it the old ones are not followed."""
    changed, late = asyncio.Event(), asyncio.Event()
    other = event("MODIFIED", pool(8000, app="better"))
    better = pod("b", "10.0.0.2", labels={"app": "better", "chimera.dev/model": "large"})
    async with found(
        [POOL, [changed, other]], [page(pod("a")), [late, event("MODIFIED", pod("a"))], page(better)]
    ) as made:
        await settled()
        changed.set()
        await settled()
        late.set()
        await settled()

        assert made.lists == [["a"], ["b"]]


async def test_change_that_makes_no_difference_publishes_nothing() -> None:
    """News of a pod that serves as before wakes nobody."""
    async with found([POOL], [page(pod("a")), [event("MODIFIED", pod("a", annotations={"note": "x"}))]]) as made:
        await settled()

        assert made.lists == [["a"]]


async def test_pool_that_was_never_there_takes_nothing_away() -> None:
    """A pool that does not exist yet is waited for."""
    async with found([page(), [event("ADDED", pool(8000))]], [page(pod("a"))]) as made:
        await settled()

        assert made.lists == [["a"]]


async def test_pool_that_is_gone_leaves_nothing() -> None:
    """A pool that was deleted has no endpoints."""
    async with found([POOL, [event("DELETED", pool(8000))]], [page(pod("a"))]) as made:
        await settled()

        assert made.names == []
        assert made.source.counts == dict.fromkeys(Standing, 0)


async def test_models_come_with_the_configuration() -> None:
    """Other models make other endpoints of the pods that are known, once they are taken and not before."""
    async with found([POOL], [page(pod("a"), pod("b", "10.0.0.2", labels={"app": "engines"}))]) as made:
        await settled()

        take = await made.source.prepare(["small"])
        assert made.names == ["a"]
        take()

        assert made.names == ["a", "b"]


async def test_list_that_nobody_confirms_is_withdrawn_at_its_age() -> None:
    """Endpoints stay up to the age limit, and are gone a moment later."""
    hours = [UNREACHABLE] * 100
    async with found([POOL, *hours], [page(pod("a")), *hours]) as made:
        await made.time.passes(120.0)
        assert made.names == ["a"]

        await made.time.passes(2.0)
        (await made.source.prepare(["small"]))()

        assert (made.lists, made.source.age) == ([["a"], []], 122.0)


async def test_server_that_is_never_reached_ends_what_was_before() -> None:
    """What another source had found stays no longer than what this one finds."""
    async with found([UNREACHABLE] * 100, []) as made:
        await made.time.passes(120.0)
        assert made.names == ["before"]

        await made.time.passes(2.0)

        assert (made.lists, made.source.synced) == ([[]], False)


async def test_half_a_confirmation_is_none() -> None:
    """Pods that are confirmed while their pool is not are too old with it."""
    confirmed = [[30.0, event("MODIFIED", pod("a"))]] * 10
    async with found([POOL, *[UNREACHABLE] * 100], [page(pod("a")), *confirmed]) as made:
        await made.time.passes(122.0)
        await made.time.passes(60.0)

        assert made.lists == [["a"], []]


async def test_server_that_comes_back_brings_the_endpoints_back() -> None:
    """The first word of the server after the age limit is enough."""
    hours = [UNREACHABLE] * 30
    async with found([POOL, *hours, [45.0]], [page(pod("a")), *hours, [45.0]]) as made:
        await made.time.passes(180.0)

        assert made.lists == [["a"], [], ["a"]]
