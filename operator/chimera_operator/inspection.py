"""One look at a cluster as the operator has it, for people who ask; nothing is written."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp

from chimera_operator.api.parse import parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.assembly import Assembly
from chimera_operator.cluster import intent, objects, resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.plan import plan
from chimera_operator.planning.reading.objects import items
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import DEPLOYMENT, OPTIONAL, POOL
from chimera_operator.rendering.manifest import COMPONENT_LABEL, Manifest, ObjectKey, namespace
from chimera_operator.settings import Settings, of_container
from chimera_operator.telemetry.metrics import Metrics

PATIENCE = 30.0  # seconds for everything to be known: a second or two, more only where the API server does not answer
LATEST = 1, 36  # version of the API server that is taken for granted where there is none

_OPERATOR = {"labelSelector": f"app.kubernetes.io/part-of=chimera,{COMPONENT_LABEL}=operator"}


class _Still:
    """An API server of which nothing is watched: for one look its lists are enough."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def call(self, call: Call) -> bytes:
        """Return the answer."""
        return await self._api.call(call)

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncIterator[AsyncIterator[bytes]]:  # noqa: ARG002 - a port's signature
        """Hear nothing, for ever."""
        yield _silence()


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def installed(api: Api, place: str) -> Settings | None:
    """Return what the operator of a namespace was told when it was started; None where there is none.

    Raises:
        ApiServerError: The server does not say.
    """
    path = resources.path(DEPLOYMENT, namespace=place)
    found = decoded(await api.call(Call(verb=Verb.LIST, path=path, query=_OPERATOR)))
    for deployment in items(found, "items"):
        container = items(deployment, "spec", "template", "spec", "containers")[0]
        return of_container(container.get("args") or (), place)
    return None


async def inspect(api: Api, document: Manifest, settings: Settings) -> tuple[HeterogeneousModelPool, Observed]:
    """Return a pool as it would be once a document is applied, and what its operator would see.

    Args:
        api: The server.
        document: The pool's.
        settings: The operator's.

    Raises:
        PoolError: The pool breaks a rule.
        ApiServerError: The server does not have pools, or does not say.
        TimeoutError: Not everything could be known in time; most likely for want of a right.
    """
    pool = parse_resource(document)
    key = ObjectKey(*POOL, namespace(pool), pool.metadata.name)
    await api.call(Call(verb=Verb.LIST, path=resources.path(POOL, namespace=key.namespace), query={"limit": "1"}))
    if live := await objects.read(api, key):
        pool = parse_resource({**live, "spec": document["spec"]})
    async with aiohttp.ClientSession() as session:
        own = replace(settings, namespaces=(key.namespace,), status_account="")
        parts = Assembly(own, _Still(api), session=session, metrics=Metrics(), planner=plan)
        mirrors = asyncio.ensure_future(parts.mirrors.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await parts.known()
                return pool, await parts.reconciler.observer.look(pool)
        finally:
            mirrors.cancel()
            await asyncio.wait([mirrors])


def imagined(document: Manifest) -> tuple[HeterogeneousModelPool, Observed]:
    """Return a pool of a document, and what is seen in a cluster that has every kind and no such pool.

    Raises:
        PoolError: The pool breaks a rule.
    """
    facts = Facts(
        apis=frozenset(map(str, OPTIONAL)),
        version=LATEST,
        controllers={},
        picker_image="",
        simulator_image="",
        operator_namespace="",
        operator_labels={},
    )
    return parse_resource(document), Observed(objects={}, facts=facts)


def unchanged(told: Manifest, live: Manifest) -> bool:
    """Return whether a live object is already what it is told to be."""
    return intent.missing(live, intent.stamped(told)) is None


def placed(document: Any, place: str) -> Any:
    """Return a document with another namespace, where one is given."""
    match document:
        case {"metadata": dict() as metadata} if place:
            return {**document, "metadata": {**metadata, "namespace": place}}
        case _:
            return document
