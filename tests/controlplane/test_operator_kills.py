"""An operator that is killed at any write leaves what the next one finishes."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from clusters import Cluster, connected
from control_planes import ControlPlane
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operators import Counted, api_server, simulated
from operators import settings as operator_settings
from toy_plans import toy_plan

from chimera_operator.api.crds import definitions
from chimera_operator.api.parse import parse_resource
from chimera_operator.assembly import Assembly
from chimera_operator.cluster import intent
from chimera_operator.cluster.port import Api, Call
from chimera_operator.cluster.resources import CHILDREN
from chimera_operator.cluster.store import Name
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import OPTIONAL
from chimera_operator.rendering.manifest import MANAGED_BY_LABEL, MANAGER, Manifest, key_of
from chimera_operator.telemetry.metrics import Metrics

FACTS = Facts(
    apis=frozenset(),
    version=(1, 36),
    controllers={},
    picker_image="",
    simulator_image="",
    operator_namespace="",
    operator_labels={},
)
MODELS = st.dictionaries(st.sampled_from(("small", "large", "huge")), st.integers(1, 3), min_size=1)
Death = tuple[int, bool, Mapping[str, int]]
"""Writes until it comes, whether the last of them is heard, and what the pool has been edited to before."""
DEATHS = st.lists(st.tuples(st.integers(0, 24), st.booleans(), MODELS), min_size=1, max_size=4)
_numbers = itertools.count()


class Killed(BaseException):
    """The process ends here. No handler of an exception sees it."""


class Mortal:
    """An API server whose caller dies at one of its writes.

    Args:
        api: The server.
        writes: That are made before.
        heard: Whether the last one reaches the server.
    """

    def __init__(self, api: Api, writes: int, *, heard: bool) -> None:
        self._api = api
        self._left = writes
        self._heard = heard

    async def call(self, call: Call) -> bytes:
        if call.verb.writes:
            self._left -= 1
            if self._left < 0:
                if self._heard:
                    await self._api.call(call)
                raise Killed
        return await self._api.call(call)

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._api.watch(path, query, seconds=seconds)


@asynccontextmanager
async def started(api: Api, namespace: str) -> AsyncIterator[Assembly]:
    """Start an operator that knows everything and does nothing by itself."""
    async with aiohttp.ClientSession() as session:
        told = operator_settings(f"--namespace={namespace}")
        parts = Assembly(told, api, session=session, metrics=Metrics(), planner=toy_plan)
        mirrors = asyncio.ensure_future(parts.mirrors.run())
        try:
            await parts.known()
            yield parts
        finally:
            mirrors.cancel()
            with suppress(asyncio.CancelledError):
                await mirrors


@given(deaths=DEATHS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.timeout(240)  # eight lives with a few deaths each
def test_whoever_comes_next_finishes(control_plane: ControlPlane, deaths: list[Death]) -> None:
    """After deaths at random writes, with edits between them, the cluster is as if nobody had died."""
    asyncio.run(_lives(control_plane.kubeconfig(), deaths))


async def _lives(kubeconfig: Path, deaths: list[Death]) -> None:
    name = Name(f"kills-{next(_numbers)}", "pool")
    async with connected(kubeconfig) as cluster, api_server(kubeconfig) as server:
        await cluster.install([yaml.safe_dump(each) for each in definitions().values()])
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name.namespace}})
        for writes, heard, models in deaths:
            document = simulated(**models)
            await cluster.apply({**document, "metadata": {**document["metadata"], "namespace": name.namespace}})
            async with started(Mortal(server, writes, heard=heard), name.namespace) as parts:
                with suppress(Killed):
                    await parts.reconciler.reconcile(name)
        await _finish(server, name)
        await _check(cluster, name)


async def _finish(server: Api, name: Name) -> None:
    """Let one operator live, and another one find nothing to do."""
    async with started(server, name.namespace) as parts:
        await parts.reconciler.reconcile(name)
    counted = Counted(server)
    async with started(counted, name.namespace) as parts:
        await parts.reconciler.reconcile(name)
    assert counted.writes == 0


async def _check(cluster: Cluster, name: Name) -> None:
    """Hold what is there against what the plan of the pool says, both ways."""
    live = await cluster.get("chimera.dev/v1alpha1", "HeterogeneousModelPool", *name)
    assert live is not None
    pool = parse_resource(live)
    plan = toy_plan(pool, Observed(objects={}, facts=FACTS), Memory(), now=datetime.now(UTC))
    found = {key_of(child): child async for child in _children(cluster, name.namespace)}
    wanted = {key_of(each): intent.stamped(each) for each in plan.objects}
    assert {key: intent.missing(found.get(key, {}), each) for key, each in wanted.items()} == dict.fromkeys(wanted)
    assert set(found) - set(wanted) <= {key for key in found if key.kind == "InferencePool"}
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"]


async def _children(cluster: Cluster, namespace: str) -> AsyncIterator[Manifest]:
    for kind in CHILDREN:
        if kind in OPTIONAL:
            continue
        items: list[dict[str, Any]] = await cluster.list(kind.api_version, kind.name, namespace)
        for item in items:
            if item["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) == MANAGER:
                yield {"apiVersion": kind.api_version, "kind": kind.name, **item}
