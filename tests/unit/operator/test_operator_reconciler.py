"""One look at a pool: what is written, in which order, and what is left alone."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from operators import settings, simulated
from recorded_calls import Answer, RecordedCalls
from toy_plans import toy_plan

from chimera_operator.assembly import Assembly
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, PoolGone
from chimera_operator.cluster.port import Call, Verb
from chimera_operator.cluster.store import Name
from chimera_operator.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

NAME = Name("ns", "pool")


def pool(version: int = 1, **metadata: Any) -> dict[str, Any]:
    """Return a pool as the API server has it."""
    whole = {"namespace": "ns", "uid": "1-2-3", "generation": 1, "resourceVersion": str(version), **metadata}
    document = simulated()
    return {**document, "metadata": {**document["metadata"], **whole}}


class Server:
    """An API server that has one pool and takes whatever is written.

    Attributes:
        pool: As it is there; None for none.
    """

    def __init__(self) -> None:
        self.pool: dict[str, Any] | None = pool()
        self.status: dict[str, Any] = {}

    def __call__(self, call: Call) -> Answer:
        if call.verb is Verb.GET:
            found = self.pool if call.path.endswith("/heterogeneousmodelpools/pool") else None
            return found or ApiServerError(ApiFailure.NOT_FOUND)
        assert call.body is not None
        if call.path.endswith("/heterogeneousmodelpools/pool/status"):
            self.status = dict(call.body["status"])
        metadata = {"resourceVersion": "9", **call.body.get("metadata", {})}
        return {**call.body, "metadata": metadata}

    def conditions(self) -> dict[str, tuple[str, str]]:
        return {each["type"]: (each["status"], each["reason"]) for each in self.status.get("conditions", ())}


class Ground:
    def __init__(self, server: Server, api: RecordedCalls, parts: Assembly) -> None:
        self.server = server
        self.parts = parts
        self._api = api

    def writes(self) -> list[str]:
        """Return what was written, in order: kinds, and statuses as such."""
        paths = [call.path.split("/") for call in self._api.calls if call.verb.writes]
        return [f"{path[-3]}/status" if path[-1] == "status" else path[-2] for path in paths]


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    server = Server()
    api = RecordedCalls(server)
    async with aiohttp.ClientSession() as session:
        parts = Assembly(settings(), api, session=session, metrics=Metrics(), planner=toy_plan)
        parts.pools.put(pool())
        yield Ground(server, api, parts)


async def test_status_comes_last(ground: Ground) -> None:
    """The objects in the plan's order, then each model's status, then the pool's."""
    await ground.parts.reconciler.reconcile(NAME)

    assert ground.writes() == [
        "serviceaccounts",
        "services",
        "configmaps",
        "deployments",
        "pooledmodels",
        "pooledmodels/status",
        "heterogeneousmodelpools/status",
    ]


async def test_a_pool_that_cannot_be_read_is_told_of(ground: Ground) -> None:
    """Its status says which rule it breaks; nothing of it is written or deleted, and it is not said twice."""
    ground.parts.pools.put({**pool(2), "spec": {"models": [{"name": "small", "canary": 1}]}})

    assert await ground.parts.reconciler.reconcile(NAME) is None

    assert ground.writes() == ["heterogeneousmodelpools/status"]
    assert ground.server.conditions() == {"Accepted": ("False", "Invalid"), "Ready": ("Unknown", "NotAccepted")}
    assert ground.parts.census.pools() == {"Unknown": 1}


async def test_a_pool_that_has_changed_meanwhile_is_left_to_its_next_look(ground: Ground) -> None:
    """What was planned for an older spec is not written."""
    ground.server.pool = pool(5, generation=2)

    with pytest.raises(PoolGone):
        await ground.parts.reconciler.reconcile(NAME)

    assert ground.writes() == []
    known = ground.parts.pools.get(NAME)
    assert known is not None
    assert known["metadata"]["generation"] == 2


async def test_a_pool_of_the_same_name_is_another_pool(ground: Ground) -> None:
    """Its children belong to it, and not to the one that went."""
    ground.server.pool = pool(5, uid="4-5-6")

    with pytest.raises(PoolGone):
        await ground.parts.reconciler.reconcile(NAME)

    assert ground.writes() == []


@pytest.mark.parametrize("state", ["gone", "unheard", "ending"])
async def test_a_pool_that_goes_is_let_go(ground: Ground, state: str) -> None:
    """Nothing is written for a pool that is deleted, whether that was heard of or not."""
    match state:
        case "gone":
            ground.parts.pools.forget(NAME)
        case "unheard":
            ground.server.pool = None
        case _:
            ground.parts.pools.put(pool(2, deletionTimestamp="2026-01-01T00:00:00Z"))

    with pytest.raises(PoolGone):
        await ground.parts.reconciler.reconcile(NAME)

    assert ground.writes() == []
    if state != "ending":
        assert len(ground.parts.pools) == 0
